// Delivery of spikes over the synapses of one pathway, without a queue of synapses.
//
// The synapses of a source are its row. A row is sorted by delay, so that the synapses of one source with one delay are
// a slice of it. Kept are the spikes of as many steps as the longest delay has; in each step, the spikes of d steps ago
// are delivered over their slices of delay d. From the longest delay to the shortest, spike by spike, synapse by
// synapse: this is the order in which Brian2's queue holds them, so every sum comes out the same to the last bit.
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
#include <vector>

#include "cortwin/pending.h"
#include "cortwin/rows.h"
#include "cortwin/threads.h"

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

// Ask for the first lines of a piece of an array, which may begin and end within a line.
template <typename T> inline void prefetch(const T* array, std::int64_t begin, std::int64_t end)
{
    const char* line = reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(array + begin) & -LINE);
    const char* last = std::min(reinterpret_cast<const char*>(array + end), line + LINES * LINE);
    for (; line < last; line += LINE)
        __builtin_prefetch(line);
}

class Delivery : public Replicated {
public:
    int run = 0;  // the last run that it was prepared for

    // A pathway from the sources `source_begin` .. `source_end - 1` of a group to a range of targets in a group of
    // `n_elements`.
    Delivery(const char* name, std::int32_t source_begin, std::int32_t source_end, std::int32_t target_begin,
             std::int32_t target_end, std::int32_t n_elements)
        : name(name), source_begin(source_begin), source_end(source_end), target_begin(target_begin),
          n_targets(target_end - target_begin), n_elements(n_elements), n_sources(source_end - source_begin),
          due(threads()), under_way(threads()), pending(threads())
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
            return;
        }
        const std::int64_t range = longest - shortest + 1;
        listed = range > 1 && n_synapses < SLICE * range * n_sources;
        n_delays = listed ? 1 : range;
        parts = divisible ? threads() : 1;
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
    }

    // A step begins: these spikes leave now. They are in ascending order, and may be of more sources than ours. A thread
    // that has a share of the step remembers them for itself.
    void push(const std::int32_t* spikes, std::int32_t n)
    {
        const bool own = divided() && share.parts > 1;
        for (std::int64_t part_ = own ? share.part : 0; part_ < (own ? share.part + 1 : parts); part_++)
            pending[part_].list.advance();
        const std::int32_t* from = std::lower_bound(spikes, spikes + n, source_begin);
        const std::int32_t* to = std::lower_bound(from, spikes + n, source_end);
        UnderWay& mine = under_way[own ? share.part : 0];
        std::vector<std::int32_t>& leaving = mine.leave(listed);
        for (; from != to; from++)
            if (connected.empty() || connected[*from - source_begin])
                leaving.push_back(*from - source_begin);
        mine.spikes += listed ? 0 : leaving.size();
    }

    void replicate() override
    {
        if (!divided())
            return;
        for (std::size_t thread = 1; thread < under_way.size(); thread++)
            under_way[thread] = under_way[0];
        give_to_owners();
    }

    // Whether each thread can deliver to its own targets.
    bool divided() const { return parts > 1; }

    // Deliver what arrives in this step by `work(pieces)`; to its own targets where the running thread has a share.
    template <typename Work> void deliver(Work&& work)
    {
        const bool own = divided() && share.parts > 1;
        const std::int64_t from = own ? share.part : 0, to = own ? from + 1 : parts;
        if (listed)
            list_rows(from, to, under_way[from].to_list);
        collect(from, to, under_way[from], due[from]);
        work(due[from].pieces);
    }

private:
    struct alignas(LINE) Due {
        std::vector<std::int64_t> slices;  // places in `begins`
        std::vector<Piece> pieces;
    };

    struct alignas(LINE) Listed {
        Pending list;
    };

    // The spikes of the last steps, for one thread: what another one writes in every step would have to be fetched.
    struct alignas(LINE) UnderWay {
        std::vector<std::vector<std::int32_t>> history;
        std::vector<std::int32_t> to_list;  // sources whose spikes left in this step, where synapses are listed
        std::size_t now = 0, remembered = 0, spikes = 0;

        // Room for the spikes of the step that begins.
        std::vector<std::int32_t>& leave(bool listed)
        {
            now = now + 1 == history.size() ? 0 : now + 1;
            remembered = std::min(remembered + 1, history.size());
            spikes -= history[now].size();
            history[now].clear();
            to_list.clear();
            return listed ? to_list : history[now];
        }
        const std::vector<std::int32_t>& left(std::size_t steps_ago) const
        {
            return history[now >= steps_ago ? now - steps_ago : now + history.size() - steps_ago];
        }
    };

    const char* name;
    const std::int32_t source_begin, source_end, target_begin, n_targets, n_elements;
    const std::int64_t n_sources;
    std::vector<Due> due;  // (thread)

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
    std::int64_t n_delays = 1, parts = 1, stride = 2;
    std::vector<std::uint8_t> part;     // (target) who owns it
    std::vector<std::uint32_t> begins;  // (source, delay and part + 1) where a slice begins, and the row ends
    std::vector<std::int32_t> order;    // (position) synapse; empty where position and synapse are the same
    std::vector<char> connected;        // (source) whether it has a synapse; empty where all have

    std::vector<UnderWay> under_way;  // (thread) the same in each, when all take part
    std::vector<Listed> pending;      // (part)

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
        if (divided())
            give_to_owners();  // what has been listed is older than what is listed now
        list_what_is_under_way();
        for (Listed& one : pending)
            if (dt != 0.0 && dt != dt_)
                one.list.rescale(dt / dt_);
        dt = dt_;
    }

    void remember()
    {
        require(shortest >= 0, "a delay is negative");
        require(n_synapses < std::numeric_limits<std::int32_t>::max(), "it has more synapses than can be numbered");
        for (Listed& one : pending)
            one.list.reach(longest);
        under_way[0] = UnderWay();
        under_way[0].history.resize(longest + 1);
    }

    void list_what_is_under_way()
    {
        if (!built || listed)
            return;
        for (std::int64_t ahead = 1; ahead <= longest; ahead++)
            for (std::int64_t delay = longest; delay >= std::max(ahead, shortest); delay--)
                if (delay - ahead < static_cast<std::int64_t>(under_way[0].remembered))
                    for (const std::int32_t source : under_way[0].left(delay - ahead))
                        for (std::int64_t part_ = 0; part_ < parts; part_++)
                            list(source, delay, part_, ahead);
    }

    void list(std::int64_t source, std::int64_t delay, std::int64_t part_, std::int64_t ahead)
    {
        for (std::int64_t k = begin_of(source, delay, part_); k < begin_of(source, delay, part_ + 1); k++)
            pending[part_].list.ahead(ahead).push_back(order.empty() ? k : order[k]);
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

    // Rows lie far from each other, and so do the places where they begin: memory is asked for all of them at once.
    void list_rows(std::int64_t from, std::int64_t to, const std::vector<std::int32_t>& to_list)
    {
        for (const std::int32_t source : to_list)
            __builtin_prefetch(&begins[source * stride + from]);
        if (rows != nullptr)
            for (const std::int32_t source : to_list)
                prefetch(rows->delays.data(), begins[source * stride + from], begins[source * stride + to]);
        Pending& into = pending[from].list;
        for (const std::int32_t source : to_list)
            for (std::int64_t k = begins[source * stride + from]; k < begins[source * stride + to]; k++) {
                const std::int32_t synapse = order.empty() ? k : order[k];
                into.ahead(rows == nullptr ? steps[synapse] : rows->delays[synapse]).push_back(synapse);
            }
    }

    // One thread alone lists the synapses of all parts together.
    void give_to_owners()
    {
        for (std::size_t ahead = 1; ahead < pending[0].list.size(); ahead++) {
            std::vector<std::int32_t>& all = pending[0].list.ahead(ahead);
            std::size_t kept = 0;
            for (const std::int32_t synapse : all) {
                const int owner = part[targets[synapse] - target_begin];
                if (owner == 0)
                    all[kept++] = synapse;
                else
                    pending[owner].list.ahead(ahead).push_back(synapse);
            }
            all.resize(kept);
        }
    }

    void collect(std::int64_t from, std::int64_t to, const UnderWay& under, Due& mine)
    {
        std::vector<Piece>& pieces = mine.pieces;
        std::vector<std::int64_t>& slices = mine.slices;
        pieces.clear();
        // What one thread lists for all comes after what others had listed before.
        for (std::int64_t part_ = to - 1; part_ >= from; part_--) {
            const std::vector<std::int32_t>& listed_ = pending[part_].list.due();
            if (!listed_.empty())
                pieces.push_back({listed_.data(), 0, static_cast<std::int64_t>(listed_.size())});
        }
        if (under.spikes == 0)
            return;
        slices.clear();
        const std::int64_t oldest = std::min<std::int64_t>(longest, static_cast<std::int64_t>(under.remembered) - 1);
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
            const Share of{one, static_cast<int>(parts)};
            const std::int32_t first = std::max(share_begin(n_elements, of) - target_begin, 0);
            const std::int32_t last = std::min(share_end(n_elements, of) - target_begin, n_targets);
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
