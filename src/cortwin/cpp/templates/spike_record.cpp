{# USES_VARIABLES { N, _clock_t, count, _source_start, _source_stop } #}
{# WRITES_TO_READ_ONLY_VARIABLES { N, count } #}
{# The events of a step in one piece, behind those before them. #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    const int32_t* _events = {{_eventspace}};
    size_t _end = {{_eventspace}}[_num{{eventspace_variable.name}}-1], _start = 0;
    // Those of a subgroup; events are ordered.
    while (_start < _end && _events[_start] < _source_start) _start++;
    while (_end > _start && _events[_end - 1] >= _source_stop) _end--;
    const size_t _new = _end - _start;
    if (_new > 0)
    {
        // scalar code
        const size_t _vectorisation_idx = 1;
        {{scalar_code|autoindent}}
        {% for varname, var in record_variables | dictsort %}
        {% set _record = get_array_name(var, access_data=False) %}
        const size_t _before_{{varname}} = {{_record}}.size();
        {{_record}}.resize(_before_{{varname}} + _new);
        {{c_data_type(var.dtype)}}* _into_{{varname}} = {{_record}}.data() + _before_{{varname}};
        {% endfor %}
        for (size_t _k = 0; _k < _new; _k++)
        {
            // vector code
            const size_t _idx = _events[_start + _k];
            const size_t _vectorisation_idx = _idx;
            {{vector_code|autoindent}}
            {% for varname, var in record_variables | dictsort %}
            _into_{{varname}}[_k] = _to_record_{{varname}};
            {% endfor %}
            {{count}}[_idx - _source_start]++;
        }
        {{N}} += _new;
    }
{% endblock %}

{% block extra_functions_cpp %}
void _debugmsg_{{codeobj_name}}()
{
    using namespace brian;
    %CONSTANTS%
    {{pointers_lines|autoindent}}
    std::cout << "Number of spikes: " << {{N}} << endl;
}
{% endblock %}

{% block extra_functions_h %}
void _debugmsg_{{codeobj_name}}();
{% endblock %}

{% macro main_finalise() %}
#ifdef DEBUG
_debugmsg_{{codeobj_name}}();
#endif
{% endmacro %}
