{# A summed variable that is a weight times a variable of the source, everything to everything: a matrix product. #}
{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    {{size_check}}
    cortwin::product({{get_array_name(source_variable)}} + {{source_start}}, {{block.trials}},
                     {{get_array_name(weight_variable)}}, {{block.sources}}, {{block.targets}},
                     {{get_array_name(_target_var)}} + {{target_start}});
{% endblock %}
