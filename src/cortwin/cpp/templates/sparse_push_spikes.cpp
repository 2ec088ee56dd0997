{# Spikes of a pathway are remembered; see cortwin/delivery.h #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "cortwin/delivery.h"
namespace brian {
    {% if rows %}
    extern cortwin::Rows {{rows}};
    {% endif %}
    cortwin::Delivery {{owner.name}}_delivery("{{owner.name}}", {{owner.source.start}}, {{owner.source.stop}},
                                              {{target_range[0]}}, {{target_range[1]}});
}
void _prepare_{{codeobj_name}}();
{% endblock %}

{% block before_code %}
    void _prepare_{{codeobj_name}}();
    _prepare_{{codeobj_name}}();
{% endblock %}

{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    {{owner.name}}_delivery.push({{_eventspace}}, {{_eventspace}}[_num{{eventspace_variable.name}}-1]);
{% endblock %}

{% block extra_functions_cpp %}
void _prepare_{{codeobj_name}}()
{
    using namespace brian;
    {% set delays = get_array_name(variables['delay'], access_data=False) %}
    %CONSTANTS%
    {{pointers_lines|autoindent}}
    {% if rows %}
    {{owner.name}}_delivery.begin_run({{rows}}, {{targets}}.data(), {{delays}}.data(), {{_source_dt}}, {
        {% for column in columns %}
        { {{column}}.data(), sizeof({{column}}[0]) },
        {% endfor %}
    });
    {% else %}
    {{owner.name}}_delivery.begin_run({{sources}}.data(), {{targets}}.data(), {{sources}}.size(),
                                      {{delays}}.data(), {{delays}}.size(), {{_source_dt}});
    {% endif %}
}
{% endblock %}
