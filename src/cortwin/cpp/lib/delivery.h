// Delivery of spikes over the synapses of one pathway, without a queue of synapses where there are many.
//
// The synapses of a source are its row. A row is sorted by delay, so that the synapses of one source with one delay are
// a slice of it. Kept are the spikes of as many steps as the longest delay has; in each step, the spikes of d steps ago
// are delivered over their slices of delay d. From the longest delay to the shortest, spike by spike, synapse by
// synapse: this is the order in which Brian2's queue holds them, so every sum comes out the same to the last bit.
//
// Where slices would hold less than a few synapses, what arrives is listed when a spike leaves, for the step in which it
// arrives (`cortwin/pending.h`), in the same order.
//
// With several threads a slice is cut once more, by the targets of which each thread has its share. The order of what
// arrives at one target stays, so the result does not depend on the number of threads.
#ifndef CORTWIN_DELIVERY_H
#define CORTWIN_DELIVERY_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <new>
#include <vector>

#include "cortwin/pending.h"
#include "cortwin/rows.h"
#include "cortwin/shares.h"
#include "cortwin/threads.h"
#include "cortwin/under_way.h"
#include "cortwin/values.h"

namespace cortwin {

const int SLICE = 4;           // synapses that a slice must hold on average, else synapses are listed
const std::size_t AHEAD = 16;  // slices between asking for memory and using it
const int LINES = 6;           // cache lines asked for; in longer slices the processor goes on by itself
const int LINE = 64;           // bytes

// Synapses that are delivered one after the other: list[begin] .. list[end - 1], or begin .. end - 1 without a list.
struct Piece {
    const std::int32_t* list;
    std::int64_t begin, end;
};

// The values of one variable of all synapses of a pathway, whatever their type.
struct Column {
    void* values;
    std::size_t item;  // bytes
};

// Ask for the first lines of a piece of an array, which may begin and end within a line. The compiler leaves out calls of
// functions that do nothing else, unless it has to put them in place.
template <typename T>
__attribute__((always_inline)) inline void prefetch(const T* array, std::int64_t begin, std::int64_t end)
{
    const char* line = reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(array + begin) & -LINE);
    const char* last = std::min(reinterpret_cast<const char*>(array + end), line + LINES * LINE);
    for (; line < last; line += LINE)
        __builtin_prefetch(line);
}

class Delivery : public Replicated {
public:
    int run = 0;  // the last run that it was prepared for

    // A pathway from the sources `source_begin` .. `source_end - 1` of a group to a range of targets in a group; synapses
    // onto synapses have none.
    Delivery(const char* name, std::int32_t source_begin, std::int32_t source_end, std::int32_t target_begin,
             std::int32_t target_end, const Group* group)
        : name(name), source_begin(source_begin), source_end(source_end), target_begin(target_begin),
          n_targets(target_end - target_begin), group(group), n_sources(source_end - source_begin),
          own(threads())
    {
    }

    // Take over the synapses of Brian2's arrays, at the beginning of a run.
    template <typename scalar>
    void begin_run(const std::int32_t* sources_, const std::int32_t* targets_, std::size_t n, const scalar* delays,
                   std::size_t n_delays, double dt_)
    {
        targets = targets_;  // with new synapses behind those that were there
        begin(dt_);
        sources = sources_;
        n_synapses = n;
        steps.resize(n_delays > 1 ? n_delays : 0);
        const std::int64_t first_delay = n_delays > 0 ? in_steps(delays[0]) : 0;
        shortest = longest = first_delay;
        for (std::size_t k = 0; k < n_delays; k++) {
            const std::int64_t delay = in_steps(delays[k]);
            shortest = std::min(shortest, delay);
            longest = std::max(longest, delay);
            if (n_delays > 1)
                steps[k] = delay;
        }
        if (shortest == longest)
            std::vector<std::int32_t>().swap(steps);
        remember();
    }

    // Take over synapses that lie in rows already. `columns` are all arrays of values by synapse, targets included;
    // their rows are sorted by delay, once, when they are built.
    template <typename scalar>
    void begin_run(Rows& rows_, std::int32_t* targets_, const scalar* delays, double dt_, std::vector<Column> columns_)
    {
        const bool differ = drawn || !rows_.delays.empty();
        require(!drawn || dt == dt_, "its delays were drawn for another time step");
        targets = targets_;
        begin(dt_);
        rows = &rows_;
        drawn = differ;
        columns = columns_;
        n_synapses = rows_.first.back();
        if (!differ) {
            shortest = longest = n_synapses > 0 ? in_steps(delays[0]) : 0;
        } else if (!built) {
            // Two loops that the compiler vectorises.
            std::uint16_t least = rows_.delays[0], most = rows_.delays[0];
            for (const std::uint16_t delay : rows_.delays)
                least = std::min(least, delay);
            for (const std::uint16_t delay : rows_.delays)
                most = std::max(most, delay);
            shortest = least;
            longest = most;
        }
        remember();
    }

    // Sort the synapses into rows and slices. `divisible`: synapses onto different targets can be delivered in any
    // order and at the same time.
    void build(bool divisible)
    {
        if (rows != nullptr && built) {
            listed = drawn && listed;
            give_to_owners();
            return;
        }
        const std::int64_t range = longest - shortest + 1;
        listed = range > 1 && n_synapses < SLICE * range * n_sources;
        n_delays = listed ? 1 : range;
        parts = divisible && group != nullptr ? threads() : 1;
        divide();
        stride = n_delays * parts + 1;
        begins.assign(n_sources * stride, 0);
        if (rows != nullptr)
            sort_rows();
        else
            point_at_synapses();
        if (!listed)
            std::vector<std::int32_t>().swap(steps);
        find_connected();
        built = true;
        give_to_owners();
    }

    // A step begins: these spikes leave now. They are in ascending order, and may be of more sources than ours. A thread
    // that has a share of the step remembers them for itself.
    void push(const std::int32_t* spikes, std::int32_t n)
    {
        const std::int64_t first = first_part(), last = last_part();
        for (std::int64_t part_ = first; part_ < last; part_++) {
            if (listed)
                own[part_].listed.advance();
            if (own[part_].left_over > 0) {
                own[part_].left_over--;
                own[part_].pending.advance();
            }
        }
        Own& mine = own[first];
        mine.pieces.clear();
        mine.under_way.leave();
        const std::int32_t* from = std::lower_bound(spikes, spikes + n, source_begin);
        for (; from < spikes + n && *from < source_end; from++)
            if (connected.empty() || connected[*from - source_begin])
                mine.under_way.add(*from - source_begin);
        if (!listed || mine.under_way.spikes() == 0)
            return;
        for (const std::int32_t source : mine.under_way.left(0))
            __builtin_prefetch(&begins[source * stride + first]);
        for (const std::int32_t source : mine.under_way.left(lag))
            prefetch_row(begins[source * stride + first], begins[source * stride + last], mine.values_travel);
    }

    void replicate() override
    {
        if (!divided())
            return;
        for (std::size_t thread = 1; thread < own.size(); thread++)
            own[thread].under_way = own[0].under_way;
        for (Own& one : own)
            one.list_again = listed;
    }

    // Whether each thread can deliver to its own targets.
    bool divided() const { return parts > 1; }

    // Deliver what arrives in this step by `work(pieces)`; to its own targets where the running thread has a share.
    // Where synapses are listed, an event is a synapse, or its `values`: of those, so many are delivered by
    // `work_events(events, number)`.
    template <typename... T, typename Work, typename WorkEvents>
    void deliver(const Values<T...>& values, Work&& work, WorkEvents&& work_events)
    {
        typedef typename Values<T...>::Event Event;
        const std::int64_t first = first_part(), last = last_part();
        const std::vector<Piece>& pieces = arriving(first, last, values);
        if (!pieces.empty())
            work(pieces);
        if (sizeof...(T) > 0 && listed)
            for (std::int64_t part_ = last - 1; part_ >= first; part_--) {
                const Events& due = own[part_].listed.due();
                const Event* const events = reinterpret_cast<const Event*>(due.begin());
                work_events(events, reinterpret_cast<const Event*>(due.end()) - events);
            }
    }

private:
    // What a thread works with, and what is listed for the targets that are its part.
    struct alignas(LINE) Own {
        UnderWay under_way;          // the same for each thread, when all take part
        Pending listed;              // events of this run: values, or synapses
        bool values_travel = false;
        bool list_again = false;     // what is listed lies elsewhere
        std::int64_t left_over = 0;  // steps to go in which spikes of earlier runs may arrive, this one included
        Pending pending;             // the synapses that they reach
        std::vector<Piece> pieces;   // that arrive in this step, besides values
        std::vector<std::int64_t> slices;  // places in `begins`
    };

    const char* name;
    const std::int32_t source_begin, source_end, target_begin, n_targets;
    const Group* const group;
    const std::int64_t n_sources;

    const std::int32_t* sources = nullptr;  // (synapse), Brian2's
    const std::int32_t* targets = nullptr;  // (synapse), Brian2's
    Rows* rows = nullptr;                   // or these instead of the sources
    std::vector<Column> columns;
    bool drawn = false;  // the delays of the rows differ
    std::int64_t n_synapses = 0;
    double dt = 0.0;
    std::vector<std::int32_t> steps;  // (synapse) delay, while it is needed
    std::int64_t shortest = 0, longest = 0;

    bool built = false, listed = false;
    std::int64_t lag = 0;  // steps after which what a spike reaches is listed: where it begins has been asked for then
    std::int64_t n_delays = 1, parts = 1, stride = 2;
    std::vector<std::uint8_t> part;     // (target) who owns it
    std::vector<std::uint32_t> begins;  // (source, delay and part + 1) where a slice begins, and the row ends
    std::vector<std::int32_t> order;    // (position) synapse; empty where position and synapse are the same
    std::vector<char> connected;        // (source) whether it has a synapse; empty where all have
    std::vector<Own> own;               // (thread or part)

    // The parts that the running thread delivers to.
    std::int64_t first_part() const { return divided() && share.parts > 1 ? share.part : 0; }
    std::int64_t last_part() const { return divided() && share.parts > 1 ? share.part + 1 : parts; }

    void require(bool met, const char* broken) const
    {
        if (met)
            return;
        std::cerr << "error: pathway " << name << ": " << broken << std::endl;
        std::exit(1);
    }

    template <typename scalar> std::int64_t in_steps(scalar delay) const { return static_cast<int>(delay / dt + 0.5); }

    // What is under way keeps the delay with which it left.
    void begin(double dt_)
    {
        gather();  // what has been listed is older than what is listed now
        list_what_is_under_way();
        for (Own& one : own)
            one.listed.clear();
        if (dt != 0.0 && dt != dt_)
            own[0].pending.rescale(dt / dt_);
        dt = dt_;
    }

    void remember()
    {
        require(shortest >= 0, "a delay is negative");
        require(n_synapses < std::numeric_limits<std::int32_t>::max(), "it has more synapses than can be numbered");
        for (Own& one : own) {
            one.pending.reach(own[0].pending.size() - 1);
            one.pending.reach(longest);
            one.listed.reach(longest);
            one.left_over = one.pending.size();
        }
        lag = std::min<std::int64_t>(shortest, 1);
        own[0].under_way = UnderWay(longest);
    }

    // In the order in which spikes left.
    void list_what_is_under_way()
    {
        const UnderWay& under = own[0].under_way;
        for (std::int64_t ago = under.steps() - 1; built && ago >= 0; ago--)
            for (const std::int32_t source : under.left(ago))
                if (listed) {
                    for (std::int64_t k = row_begin(source); k < row_end(source); k++)
                        list(k, delay_of(k) - ago);
                } else {
                    for (std::int64_t delay = std::max(ago + 1, shortest); delay <= longest; delay++)
                        for (std::int64_t k = begin_of(source, delay, 0); k < begin_of(source, delay, parts); k++)
                            list(k, delay - ago);
                }
    }

    void list(std::int64_t place, std::int64_t ahead)
    {
        if (ahead > 0)
            *own[0].pending.ahead()[ahead].add(1) = synapse_at(place);
    }

    std::int32_t synapse_at(std::int64_t place) const { return order.empty() ? place : order[place]; }
    std::int64_t delay_of(std::int64_t place) const
    {
        return rows == nullptr ? steps[synapse_at(place)] : rows->delays[place];
    }

    // Where the slice of a source, a delay and a part begins; of one part more, where the slice of all parts ends.
    std::int64_t begin_of(std::int64_t source, std::int64_t delay, std::int64_t part_) const
    {
        return begins[source * stride + (delay - shortest) * parts + part_];
    }

    std::int64_t row_begin(std::int64_t source) const { return begins[source * stride]; }
    std::int64_t row_end(std::int64_t source) const { return begins[source * stride + stride - 1]; }

    // Rows begin far from each other in memory: of a spike without synapses something nearer tells.
    void find_connected()
    {
        connected.assign(n_sources, 1);
        for (std::int64_t source = 0; source < n_sources; source++)
            connected[source] = row_begin(source) < row_end(source);
        if (std::find(connected.begin(), connected.end(), 0) == connected.end())
            std::vector<char>().swap(connected);
    }

    // Rows lie far from each other: memory is asked for, and used when that of other pathways has been asked for.
    __attribute__((always_inline)) void prefetch_row(std::int64_t begin, std::int64_t end, bool values_travel) const
    {
        if (!order.empty())
            prefetch(order.data(), begin, end);
        if (rows != nullptr)
            prefetch(rows->delays.data(), begin, end);
        if (values_travel)
            for (const Column& column : columns)
                prefetch(static_cast<const char*>(column.values), begin * column.item, end * column.item);
    }

    // List what spikes reach, and find what arrives in this step besides values.
    template <typename... T>
    __attribute__((noinline)) const std::vector<Piece>& arriving(std::int64_t first, std::int64_t last,
                                                                 const Values<T...>& values)
    {
        Own& mine = own[first];
        // What one thread lists for all comes after what others had listed before.
        for (std::int64_t part_ = last - 1; part_ >= first; part_--)
            if (own[part_].left_over > 0)
                add_piece(mine, own[part_].pending.due());
        if (listed) {
            mine.values_travel = sizeof...(T) > 0;
            list_rows(first, last, mine, values);
            for (std::int64_t part_ = last - 1; part_ >= first && !mine.values_travel; part_--)
                add_piece(mine, own[part_].listed.due());
        } else if (mine.under_way.spikes() > 0)
            collect(first, last, mine);
        return mine.pieces;
    }

    // List what spikes reach that left `lag` steps ago; where it lies elsewhere, also what earlier ones have still to
    // reach.
    template <typename... T>
    void list_rows(std::int64_t first, std::int64_t last, Own& mine, const Values<T...>& values)
    {
        std::int64_t ago = lag;
        if (mine.list_again) {
            mine.list_again = false;
            mine.listed.clear();
            ago = mine.under_way.steps() - 1;
        }
        const Pending::Ahead ahead = mine.listed.ahead();
        for (; ago >= lag; ago--)
            for (const std::int32_t source : mine.under_way.left(ago)) {
                const std::int64_t begin = begins[source * stride + first], end = begins[source * stride + last];
                if (rows != nullptr) {
                    const std::uint16_t* const delays = rows->delays.data();
                    for (std::int64_t k = begin; k < end; k++)
                        if (delays[k] >= ago)
                            list_values(ahead[delays[k] - ago], values, k);
                } else
                    for (std::int64_t k = begin; k < end; k++)
                        if (delay_of(k) >= ago)
                            list_values(ahead[delay_of(k) - ago], values, synapse_at(k));
            }
    }

    template <typename... T>
    static void list_values(Events& events, const Values<T...>& values, std::int32_t synapse)
    {
        typedef typename Values<T...>::Event Event;
        static_assert(sizeof(Event) % sizeof(std::int32_t) == 0, "an event is made of words");
        new (events.add(sizeof(Event) / sizeof(std::int32_t))) Event(values.at(synapse));
    }

    static void add_piece(Own& mine, const Events& due)
    {
        if (!due.empty())
            mine.pieces.push_back({due.begin(), 0, due.end() - due.begin()});
    }

    // What earlier runs have left over is delivered by those whose targets it reaches, and listed by the first.
    void give_to_owners()
    {
        for (std::size_t ahead = 1; divided() && ahead < own[0].pending.size(); ahead++) {
            Events& all = own[0].pending.ahead()[ahead];
            Events kept;
            for (const std::int32_t synapse : all) {
                const int owner = part[targets[synapse] - target_begin];
                *(owner == 0 ? kept : own[owner].pending.ahead()[ahead]).add(1) = synapse;
            }
            std::swap(all, kept);
        }
    }

    void gather()
    {
        for (std::size_t other = 1; other < own.size(); other++)
            for (std::size_t ahead = 1; ahead < own[other].pending.size(); ahead++) {
                Events& theirs = own[other].pending.ahead()[ahead];
                for (const std::int32_t synapse : theirs)
                    *own[0].pending.ahead()[ahead].add(1) = synapse;
                theirs.clear();
            }
    }

    // Find the slices that are delivered in this step.
    void collect(std::int64_t from, std::int64_t to, Own& mine) const
    {
        const UnderWay& under = mine.under_way;
        std::vector<Piece>& pieces = mine.pieces;
        std::vector<std::int64_t>& slices = mine.slices;
        slices.clear();
        const std::int64_t oldest = std::min<std::int64_t>(longest, under.steps() - 1);
        for (std::int64_t delay = oldest; delay >= shortest; delay--)
            for (const std::int32_t source : under.left(delay))
                slices.push_back(source * stride + (delay - shortest) * parts + from);
        const std::int32_t* list = order.empty() ? nullptr : order.data();
        for (std::size_t n = 0; n < slices.size(); n++) {
            if (n + AHEAD < slices.size())
                __builtin_prefetch(&begins[slices[n + AHEAD]]);
            const std::int64_t begin = begins[slices[n]], end = begins[slices[n] + to - from];
            if (begin < end)
                pieces.push_back({list, begin, end});
        }
    }

    // Give each part the targets that are its share of their group.
    void divide()
    {
        part.resize(parts > 1 ? n_targets : 0);
        for (int one = 0; one < parts && parts > 1; one++) {
            const Range owned = group->of({one, static_cast<int>(parts)});
            const std::int32_t first = std::max(owned.begin - target_begin, 0);
            const std::int32_t last = std::min(owned.end - target_begin, n_targets);
            if (first < last)
                std::fill(part.begin() + first, part.begin() + last, one);
        }
    }

    std::int64_t column_of(std::int64_t delay, std::int32_t target) const
    {
        const std::int64_t slice = n_delays > 1 ? delay - shortest : 0;
        return slice * parts + (parts > 1 ? part[target - target_begin] : 0);
    }

    // Turn the numbers of synapses in the row of a source into the places where slices begin.
    void add_up(std::int64_t source, std::int64_t begin)
    {
        std::uint32_t* row = begins.data() + source * stride;
        std::uint32_t place = begin;
        for (std::int64_t k = 0; k < stride; k++) {
            const std::uint32_t number = row[k];
            row[k] = place;
            place += number;
        }
    }

    // Brian2's arrays stay as they are: rows are lists of synapses, or ranges where the synapses are sorted already.
    void point_at_synapses()
    {
        const auto cell = [this](std::int64_t k) {
            return (sources[k] - source_begin) * stride + column_of(steps.empty() || listed ? 0 : steps[k], targets[k]);
        };
        bool sorted = true;
        std::int64_t last = 0;
        for (std::int64_t k = 0; k < n_synapses; k++) {
            const std::int64_t place = cell(k);
            sorted = sorted && place >= last;
            last = place;
            begins[place]++;
        }
        for (std::int64_t source = 0; source < n_sources; source++)
            add_up(source, source > 0 ? row_end(source - 1) : 0);
        std::vector<std::int32_t>().swap(order);
        if (sorted)
            return;
        order.resize(n_synapses);
        std::vector<std::uint32_t> next = begins;
        for (std::int64_t k = 0; k < n_synapses; k++)
            order[next[cell(k)]++] = k;
    }

    // The arrays themselves are sorted, row by row; the delays are where a synapse lies then, and need no array.
    void sort_rows()
    {
        if (n_delays * parts > 1)
            in_parallel([this](int thread) {
                std::vector<std::uint32_t> places, next;
                std::vector<char> scratch;
                for (std::int64_t source = thread; source < n_sources; source += threads())
                    sort_row(source, places, next, scratch);
            });
        else
            for (std::int64_t source = 0; source < n_sources; source++) {
                begins[source * stride] = rows->first[source];
                begins[source * stride + 1] = rows->first[source + 1];
            }
        if (!listed)
            std::vector<std::uint16_t>().swap(rows->delays);
    }

    void sort_row(std::int64_t source, std::vector<std::uint32_t>& places, std::vector<std::uint32_t>& next,
                  std::vector<char>& scratch)
    {
        const std::int64_t begin = rows->first[source], n = rows->first[source + 1] - begin;
        std::uint32_t* row = begins.data() + source * stride;
        places.resize(n);
        for (std::int64_t k = 0; k < n; k++) {
            places[k] = column_of(drawn ? rows->delays[begin + k] : shortest, targets[begin + k]);
            row[places[k]]++;
        }
        add_up(source, begin);
        next.assign(row, row + stride);
        bool sorted = true;
        for (std::int64_t k = 0; k < n; k++) {
            places[k] = next[places[k]]++ - begin;
            sorted = sorted && places[k] == k;
        }
        if (sorted)
            return;
        for (const Column& column : columns)
            sort_column(column, begin, n, places, scratch);
        if (listed)
            sort_column({rows->delays.data(), sizeof(rows->delays[0])}, begin, n, places, scratch);
    }

    static void sort_column(Column column, std::int64_t begin, std::int64_t n, const std::vector<std::uint32_t>& places,
                            std::vector<char>& scratch)
    {
        const std::size_t item = column.item;
        char* values = static_cast<char*>(column.values) + begin * item;
        scratch.assign(values, values + n * item);
        for (std::int64_t k = 0; k < n; k++)
            std::memcpy(values + places[k] * item, scratch.data() + k * item, item);
    }
};

}  // namespace cortwin

#endif
