{# Spikes that arrive in this step: each goes along the synapses of its source, a row of the matrix. #}
{% extends 'common_synapses.cpp' %}

{% block maincode %}
    {# USES_VARIABLES { N } #}
    {{size_check}}
    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    for (const size_t _presynaptic_idx : cortwin::spike_ring<{{ring}}>().arriving())
    {
        const size_t _trial = (_presynaptic_idx - {{source_start}}) / {{block.sources}};
        const size_t _source = (_presynaptic_idx - {{source_start}}) % {{block.sources}};
        {% if block.connect == 'all_to_all' %}
        for (size_t _target = 0; _target < {{block.targets}}; _target++)
        {
            const size_t _idx = _source * {{block.targets}} + _target;
        {% else %}
        {
            const size_t _target = _source / {{block.fan}}, _idx = _source;
        {% endif %}
            const size_t _postsynaptic_idx = {{target_start}} + _trial * {{block.targets}} + _target;
            const size_t _vectorisation_idx = _idx;
            {{vector_code|autoindent}}
        }
    }
{% endblock %}
