// Values of a synapse that travel with a spike: a copy of one element of each of some arrays.
//
// Pathways with arrays of the same types share the code that copies them.
#ifndef CORTWIN_VALUES_H
#define CORTWIN_VALUES_H

#include <cstddef>
#include <cstdint>
#include <tuple>

namespace cortwin {

template <typename... T> struct Values {
    typedef std::tuple<T...> Event;
    std::tuple<const T*...> arrays;

    Event at(std::size_t synapse) const
    {
        return std::apply([synapse](const T*... array) { return Event(array[synapse]...); }, arrays);
    }
};

// Without an array, the synapse itself.
template <> struct Values<> {
    typedef std::int32_t Event;
    Event at(std::size_t synapse) const { return synapse; }
};

template <typename... T> Values<T...> values(const T*... arrays) { return {{arrays...}}; }
inline Values<> values() { return {}; }

// One value of events that lie one behind the other, read like an array.
template <std::size_t number, typename Event> struct Field {
    const Event* events;
    std::tuple_element_t<number, Event> operator[](std::size_t k) const { return std::get<number>(events[k]); }
};
template <std::size_t number, typename Event> Field<number, Event> field(const Event* events) { return {events}; }

}  // namespace cortwin

#endif
