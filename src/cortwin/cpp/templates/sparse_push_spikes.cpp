{# Spikes of a pathway are remembered; see cortwin/delivery.h #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "cortwin/delivery.h"
#include "cortwin/runs.h"
namespace brian {
    {% if rows %}
    extern cortwin::Rows {{rows}};
    {% endif %}
    bool {{owner.name}}_divisible = true;
    cortwin::Delivery {{owner.name}}_delivery("{{owner.name}}", {{owner.source.start}}, {{owner.source.stop}},
                                              {{target_range[0]}}, {{target_range[1]}},
                                              {% if target_group.size is none %}nullptr{% else %}&{{target_group.named(0)}}{% endif %});
}
{% endblock %}

{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    {% set _delays = get_array_name(variables['delay'], access_data=False) %}
    if ({{owner.name}}_delivery.run != cortwin::runs_begun) {
        const cortwin::Moment _begun = std::chrono::steady_clock::now();
        {% if rows %}
        {{owner.name}}_delivery.begin_run({{rows}}, {{targets}}.data(), {{_delays}}.data(), {{_source_dt}}, {
            {% for column in columns %}
            { {{column}}.data(), sizeof({{column}}[0]) },
            {% endfor %}
        });
        {% else %}
        {{owner.name}}_delivery.begin_run({{sources}}.data(), {{targets}}.data(), {{sources}}.size(),
                                          {{_delays}}.data(), {{_delays}}.size(), {{_source_dt}});
        {% endif %}
        {{owner.name}}_delivery.build({{owner.name}}_divisible);
        {{owner.name}}_delivery.run = cortwin::runs_begun;
        cortwin::prepared += cortwin::seconds_since(_begun);
    }
    {{owner.name}}_delivery.push({{_eventspace}}, {{_eventspace}}[_num{{eventspace_variable.name}}-1]);
{% endblock %}
