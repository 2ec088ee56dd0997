{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{# Brian2's loop over the elements, cut into blocks where numbers are drawn: they are drawn first, all at once, so that
   no call stands in the loop that the compiler is to vectorise. #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    const int _N = {{constant_or_scalar('N', variables['N'])}};
    {% set _vector, _fills = draw_first(vector_code) %}
    {% if _fills %}
    const int _block = {{block}};
    for (int _first = 0; _first < _N; _first += _block) {
        const int _last = _first + _block < _N ? _first + _block : _N;
        {% for line in _fills %}
        {{line}}
        {% endfor %}
    {% else %}
    {
        const int _first = 0, _last = _N;
    {% endif %}
        {% if independent %}
        #pragma GCC ivdep
        {% endif %}
        for (int _idx = _first; _idx < _last; _idx++)
        {
            // vector code
            const size_t _vectorisation_idx = _idx;
            {{_vector|autoindent}}
        }
    }
{% endblock %}
