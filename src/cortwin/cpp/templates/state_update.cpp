{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{# Brian2's loop over the elements, cut into blocks where numbers are drawn: they are drawn first, all at once, so that
   no call stands in the loop that the compiler is to vectorise. A thread that has a share of the elements goes through
   it alone. Whether a refractory time is over is asked of the latest spike that is old enough, which is the same for
   all. #}
{% extends 'common_group.cpp' %}

{% block extra_headers %}
#include "cortwin/shares.h"
{% if divisible %}
{{shares.declaration(codeobj_name)}}
{% endif %}
{% endblock %}

{% block maincode %}
    {% set _drawn, _tables, _fills = draw_first(vector_code, scalar_code) %}
    {% set _vector, _bounds = compare_first(_drawn) %}
    const int _N = {{constant_or_scalar('N', variables['N'])}};
    {% if divisible and not draw_first.left %}
    const cortwin::Range _own = {{shares.own(codeobj_name, '_N')}};
    const int _begin = _own.begin, _end = _own.end;
    if (_begin == _end) return;
    {% else %}
    const int _begin = 0, _end = _N;
    {% endif %}

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% for line in _bounds + _tables %}
    {{line}}
    {% endfor %}
    {% if _fills %}
    const int _block = {{block}};
    for (int _first = _begin; _first < _end; _first += _block) {
        const int _last = _first + _block < _end ? _first + _block : _end;
        {% for line in _fills %}
        {{line}}
        {% endfor %}
    {% else %}
    {
        const int _first = _begin, _last = _end;
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
