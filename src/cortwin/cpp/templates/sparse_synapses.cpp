{# The statements of a pathway, for each synapse that a spike reaches in this step, or for its values that travelled with
   the spike: these stand in the place of the arrays, under the arrays' names. See cortwin/delivery.h #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "cortwin/delivery.h"
namespace brian {
    extern bool {{pathway.name}}_divisible;
    extern cortwin::Delivery {{pathway.name}}_delivery;
    // Before the program begins: each code object of the pathway has a say.
    const bool {{codeobj_name}}_divisible = {{pathway.name}}_divisible &= {{ 'true' if divisible else 'false' }};
}
{% endblock %}

{% block maincode %}
    {% set used = by_synapse|select('in', vector_code|join)|list %}
    {% set travel = travelling and not used|reject('in', travelling)|list %}
    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    const auto _values = cortwin::values({% if travel %}{% for array in used %}{{', ' if not loop.first}}_ptr{{array}}{% endfor %}{% endif %});
    const auto _work = [&](const std::vector<cortwin::Piece>& _pieces) __attribute__((always_inline)) {
        for (size_t _n = 0; _n < _pieces.size(); _n++) {
            const cortwin::Piece _piece = _pieces[_n];
            if (_n + cortwin::AHEAD < _pieces.size()) {
                const cortwin::Piece _ahead = _pieces[_n + cortwin::AHEAD];
                if (_ahead.list == nullptr) {
                    {% for array in used %}
                    cortwin::prefetch(_ptr{{array}}, _ahead.begin, _ahead.end);
                    {% endfor %}
                } else
                    cortwin::prefetch(_ahead.list, _ahead.begin, _ahead.end);
            }
            if (_piece.list == nullptr)
                for (int64_t _k = _piece.begin; _k < _piece.end; _k++) {
                    const size_t _idx = _k;
                    const size_t _vectorisation_idx = _idx;
                    {{vector_code|autoindent}}
                }
            else
                for (int64_t _k = _piece.begin; _k < _piece.end; _k++) {
                    const size_t _idx = _piece.list[_k];
                    if (_k + cortwin::AHEAD < _piece.end) {
                        const size_t _later = _piece.list[_k + cortwin::AHEAD];
                        {% for array in used %}
                        __builtin_prefetch(_ptr{{array}} + _later);
                        {% endfor %}
                    }
                    const size_t _vectorisation_idx = _idx;
                    {{vector_code|autoindent}}
                }
        }
    };
    const auto _work_events = [&](const auto* _events, int64_t _number) __attribute__((always_inline)) {
        {% if travel %}
        {% for array in used %}
        const auto _ptr{{array}} = cortwin::field<{{loop.index0}}>(_events);
        {% endfor %}
        for (int64_t _k = 0; _k < _number; _k++) {
            const size_t _idx = _k;
            const size_t _vectorisation_idx = _idx;
            {{vector_code|autoindent}}
        }
        {% endif %}
    };
    {{pathway.name}}_delivery.deliver(_values, _work, _work_events);
{% endblock %}
