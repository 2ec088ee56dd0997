{# A summed variable that is a weight times something of the source, everything to everything: a matrix product. #}
{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    {% set n_sources = block.trials * block.sources %}
    {{size_check}}
    {% if source_variable is none %}
    // Once for each source, not for each synapse.
    static std::vector<{{c_data_type(_target_var.dtype)}}> _of_source({{n_sources}});
    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    for (size_t _source = 0; _source < {{n_sources}}; _source++)
    {
        const size_t _presynaptic_idx = {{source_start}} + _source;
        const size_t _vectorisation_idx = _source;
        {{vector_code|autoindent}}
        _of_source[_source] = _synaptic_var;
    }
    const {{c_data_type(_target_var.dtype)}}* _sources = _of_source.data();
    {% else %}
    const {{c_data_type(_target_var.dtype)}}* _sources = {{get_array_name(source_variable)}} + {{source_start}};
    {% endif %}
    // Inputs stand still for many steps.
    static cortwin::LatestProduct<{{c_data_type(_target_var.dtype)}}> _latest;
    if (_latest.stands(_sources, {{n_sources}}, cortwin::unwritten<{{sum}}>())) return;
    cortwin::product(_sources, {{block.trials}}, {{get_array_name(weight_variable)}}, {{block.sources}},
                     {{block.targets}}, {{get_array_name(_target_var)}} + {{target_start}});
{% endblock %}
