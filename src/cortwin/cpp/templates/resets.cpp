{# USES_VARIABLES { N } #}
{# A neuron has one event in a step: the resets of a step do not touch each other. A thread that has a share of the
   neurons resets them alone. #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "cortwin/shares.h"
{% if divisible %}
{{shares.declaration(codeobj_name)}}
{% endif %}
{% endblock %}

{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    {% if divisible %}
    const cortwin::Range _own = {{shares.own(codeobj_name, 'N')}};
    const int32_t* const _begin = cortwin::events_from({{_eventspace}}, N, _own.begin);
    const int32_t* const _end = cortwin::events_from({{_eventspace}}, N, _own.end);
    {% else %}
    const int32_t *const _begin = {{_eventspace}}, *const _end = {{_eventspace}} + {{_eventspace}}[N];
    {% endif %}

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% if independent %}
    #pragma GCC ivdep
    {% endif %}
    for (const int32_t* _event = _begin; _event < _end; _event++)
    {
        // vector code
        const size_t _idx = *_event;
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
    }
{% endblock %}
