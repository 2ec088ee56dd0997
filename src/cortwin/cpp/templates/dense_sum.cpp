{# A summed variable over the synapses of a block, trial by trial, source by source, target by target. #}
{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    {% set _target_array = get_array_name(_target_var) %}
    {{size_check}}
    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    for (size_t _trial = 0; _trial < {{block.trials}}; _trial++)
    {
        {% if block.trials * block.targets %}
        for (size_t _target = 0; _target < {{block.targets}}; _target++)
            {{_target_array}}[{{target_start}} + _trial * {{block.targets}} + _target] = 0;
        {% endif %}
        for (size_t _source = 0; _source < {{block.sources}}; _source++)
        {
            const size_t _presynaptic_idx = {{source_start}} + _trial * {{block.sources}} + _source;
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
                {{_target_array}}[_postsynaptic_idx] += _synaptic_var;
            }
        }
    }
{% endblock %}
