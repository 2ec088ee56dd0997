{# Spikes of this step are sent on their way: the sources' numbers, not their synapses. #}
{# USES_VARIABLES { delay, _source_dt } #}
{% extends 'common_group.cpp' %}

{% block before_code %}
    {% set _delays = get_array_name(variables['delay'], access_data=False) %}
    cortwin::spike_ring<{{ring}}>().prepare({{_delays}}.data(), {{_delays}}.size(), {{_source_dt}});
{% endblock %}

{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    auto& _ring = cortwin::spike_ring<{{ring}}>();
    _ring.advance();
    _ring.push({{_eventspace}}, {{_eventspace}}[_num{{eventspace_variable.name}} - 1],
               {{source_start}}, {{source_start + block.trials * block.sources}});
{% endblock %}
