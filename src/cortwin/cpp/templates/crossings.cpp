{# USES_VARIABLES { N } #}
{# The condition of a whole block first, without a branch; then its crossings are looked for, if there are any, eight
   elements at a time. A thread that has a share of the elements goes through it alone. #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include <cstring>
#include "cortwin/joined_events.h"
{% if divisible %}
{{shares.declaration(codeobj_name)}}
{% endif %}
{% endblock %}

{% block maincode %}
    // scalar code
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% set _eventspace = get_array_name(eventspace_variable) %}
    {% set _vector, _tables, _fills = draw_first(vector_code, scalar_code) %}
    const int _block = {{block}}, _N = N;
    {% if divisible and not draw_first.left %}
    const cortwin::Range _own = {{shares.own(codeobj_name, '_N')}};
    const int _begin = _own.begin, _end = _own.end;
    {% else %}
    const int _begin = 0, _end = _N;
    {% endif %}
    {% for line in _tables %}
    {{line}}
    {% endfor %}
    static_assert(_block % 8 == 0, "blocks are looked through in eights");
    char _crossed[_block] = {};
    int _count = 0;
    int32_t* const _events = {{_eventspace}} + _begin;
    for (int _first = _begin; _first < _end; _first += _block) {
        const int _last = _first + _block < _end ? _first + _block : _end;
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
            const int _end_of_eight = _eight + 8 < _last ? _eight + 8 : _last;
            for (int _idx = _eight; _idx < _end_of_eight; _idx++)
            {
                if (!_crossed[_idx - _first]) continue;
                _events[_count++] = _idx;
                {% if _uses_refractory %}
                {{not_refractory}}[_idx] = false;
                {{lastspike}}[_idx] = {{t}};
                {% endif %}
            }
        }
    }
    static cortwin::JoinedEvents _joined;
    _joined.end({{_eventspace}}, _N, _begin, _count);
{% endblock %}

{% block after_code %}
{% set _eventspace = get_array_name(eventspace_variable) %}
{{_eventspace}}[N] = 0;  // the number of events stands behind the N places for them
{% endblock %}
