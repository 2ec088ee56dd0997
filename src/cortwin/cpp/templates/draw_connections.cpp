{# The synapses of a pathway that has a rule, drawn or listed, sorted by source; see cortwin/connect.h #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "cortwin/connect.h"
#include "cortwin/distributions.h"
#include "cortwin/run_arguments.h"
namespace brian {
    cortwin::Rows {{owner.name}}_rows;
}
namespace {{codeobj_name}}_given {
    // What the program is given for this pathway.
    {% for item in given %}
    std::vector<{{item.type}}> given_{{item.name}};
    {% endfor %}
}
void _take_{{codeobj_name}}(std::vector<std::string>& arguments)
{
    {% for item in given %}
    {{codeobj_name}}_given::given_{{item.name}} = cortwin::take<{{item.type}}>(
        arguments, "{{owner.name}}.{{item.name}}", brian::results_dir + "{{read_back}}");
    {% endfor %}
}
{% endblock %}

{% block maincode %}
    using namespace cortwin::connectivity;
    using namespace {{codeobj_name}}_given;
    cortwin::Rows& rows = {{owner.name}}_rows;
    std::vector<int32_t>& targets = {{targets}};
    const Ends ends = { {{n_source}}, {{n_target}}, {{distinct}} };
    {% if keyed %}
    const Key key = { { given_key[0], given_key[1] } };
    {% endif %}
    {{rule}};
    const int64_t n = targets.size();
    repeat(rows, targets, ends, {{trials}});
    const int64_t n_all = targets.size();
    {{N}} = n_all;
    {% for array in registered %}
    cortwin::lengthen({{array}}, n_all);
    {% endfor %}
    {% for item in drawn %}
    draw_values({{item.array}}.data(), n, {{item.distribution}}, key, {{item.purpose}}u);
    {% endfor %}
    {% for item in copied %}
    std::copy(given_{{item.name}}.begin(), given_{{item.name}}.begin() + n, {{item.array}}.begin());
    std::vector<{{item.type}}>().swap(given_{{item.name}});
    {% endfor %}
    {% for array in of_synapses %}
    for (int64_t k = n; k < n_all; k++)
        {{array}}[k] = {{array}}[k - n];
    {% endfor %}
    {% if delays %}
    cortwin::lengthen(rows.delays, n_all);
    draw_delays(rows.delays.data(), n, {{delays.distribution}}, key, {{delays.purpose}}u, {{delays.dt}});
    for (int64_t k = n; k < n_all; k++)
        rows.delays[k] = rows.delays[k - n];
    {% endif %}
    {% if sources %}
    // Something other than delivery of spikes needs Brian2's own arrays.
    {{sources}}.resize(n_all);
    {{outgoing}}.assign(rows.first.size() - 1, 0);
    {{incoming}}.assign({{n_target}}*{{trials}}, 0);
    for (size_t source = 0; source + 1 < rows.first.size(); source++)
        for (int64_t k = rows.first[source]; k < rows.first[source + 1]; k++) {
            {{sources}}[k] = source;
            {{outgoing}}[source]++;
            {{incoming}}[targets[k]]++;
        }
    {% if delays %}
    {{delays.array}}.resize(n_all);
    for (int64_t k = 0; k < n_all; k++)
        {{delays.array}}[k] = rows.delays[k] * {{delays.dt}};
    {% endif %}
    rows = cortwin::Rows();
    {% endif %}
{% endblock %}

{% block extra_functions_h %}
#include <string>
#include <vector>
void _take_{{codeobj_name}}(std::vector<std::string>& arguments);
{% endblock %}
