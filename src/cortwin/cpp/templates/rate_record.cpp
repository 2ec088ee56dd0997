{# USES_VARIABLES { N, rate, t, _spikespace, _clock_t, _clock_dt,
                    _num_source_neurons, _source_start, _source_stop } #}
{# WRITES_TO_READ_ONLY_VARIABLES { N } #}
{# The spikes of a subgroup are a piece of all, which are ordered: its ends are looked up instead of counted. #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <algorithm>
{% endblock %}

{% block maincode %}
    const int32_t* _events = {{_spikespace}};
    const int32_t* _end = _events + _events[_num_spikespace-1];
    const int32_t* _from = std::lower_bound(_events, _end, int32_t(_source_start));
    const int32_t* _to = std::lower_bound(_from, _end, int32_t(_source_stop));
    const size_t _num_spikes = _to - _from;
    {{_dynamic_rate}}.push_back(1.0*_num_spikes/{{_clock_dt}}/_num_source_neurons);
    {{_dynamic_t}}.push_back({{_clock_t}});
    {{N}}++;
{% endblock %}
