{# Synapses of a block: their number, and room for what each of them has. Source and target are arithmetic. #}
{# USES_VARIABLES { N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { N } #}
{% extends 'common_synapses.cpp' %}

{% block maincode %}
    {% for variable in own_variables %}
    {{get_array_name(variable, access_data=False)}}.resize({{block.size}});
    {% endfor %}
    {{N}} = {{block.size}};
{% endblock %}
