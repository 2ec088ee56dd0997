{# USES_VARIABLES { N } #}
{# A neuron has one event in a step: the resets of a step do not touch each other. #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    const int32_t* _events = {{_eventspace}};
    const int32_t _num_events = {{_eventspace}}[N];

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% if independent %}
    #pragma GCC ivdep
    {% endif %}
    for (int32_t _index_events = 0; _index_events < _num_events; _index_events++)
    {
        // vector code
        const size_t _idx = _events[_index_events];
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
    }
{% endblock %}
