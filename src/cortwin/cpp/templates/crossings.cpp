{# USES_VARIABLES { N } #}
{# The condition of a whole block first, without a branch; then its crossings are looked for, if there are any, eight
   elements at a time. #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <cstring>
{% endblock %}

{% block maincode %}
    // scalar code
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% set _eventspace = get_array_name(eventspace_variable) %}
    {% set _vector, _fills = draw_first(vector_code) %}
    const int _block = {{block}}, _N = N;
    static_assert(_block % 8 == 0, "blocks are looked through in eights");
    char _crossed[_block] = {};
    long _count = 0;
    for (int _first = 0; _first < _N; _first += _block) {
        const int _last = _first + _block < _N ? _first + _block : _N;
        {% for line in _fills %}
        {{line}}
        {% endfor %}
        char _any = 0;
        for (int _idx = _first; _idx < _last; _idx++)
        {
            // vector code
            const size_t _vectorisation_idx = _idx;
            {{_vector|autoindent}}
            const char _here = _cond ? 1 : 0;
            _crossed[_idx - _first] = _here;
            _any |= _here;
        }
        if (!_any) continue;
        for (int _eight = _first; _eight < _last; _eight += 8)
        {
            uint64_t _some;
            std::memcpy(&_some, _crossed + (_eight - _first), 8);
            if (!_some) continue;
            const int _end = _eight + 8 < _last ? _eight + 8 : _last;
            for (int _idx = _eight; _idx < _end; _idx++)
            {
                if (!_crossed[_idx - _first]) continue;
                {{_eventspace}}[_count++] = _idx;
                {% if _uses_refractory %}
                {{not_refractory}}[_idx] = false;
                {{lastspike}}[_idx] = {{t}};
                {% endif %}
            }
        }
    }
    {{_eventspace}}[N] = _count;
{% endblock %}

{% block after_code %}
{% set _eventspace = get_array_name(eventspace_variable) %}
{{_eventspace}}[N] = 0;  // the number of events stands behind the N places for them
{% endblock %}
