{# USES_VARIABLES { t, _clock_t, _indices, N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { t, N } #}
{# One row a sample, see lib/dynamic_array.h. #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    {{_dynamic_t}}.push_back({{_clock_t}});
    const size_t _new_size = {{_dynamic_t}}.size();
    {% for varname, var in _recorded_variables | dictsort %}
    {% set _recorded = get_array_name(var, access_data=False) %}
    {{_recorded}}.resize(_new_size, _num_indices);
    {{c_data_type(var.dtype)}}* _row_of_{{varname}} = {{_recorded}}.row(_new_size - 1);
    {% endfor %}

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    #pragma GCC ivdep
    for (int _i = 0; _i < (int)_num_indices; _i++)
    {
        // vector code
        const size_t _idx = {{_indices}}[_i];
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
        {% for varname, var in _recorded_variables | dictsort %}
        _row_of_{{varname}}[_i] = _to_record_{{varname}};
        {% endfor %}
    }

    {{N}} = _new_size;
{% endblock %}
