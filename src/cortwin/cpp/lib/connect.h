// Rules of connection: rows of synapses drawn from a key, sorted by source.
//
// `cortwin/connectivity/drawing.py` is the slow reference, and says which counters stand for what. Numbers that decide
// where another one goes are drawn twice, so that nothing but the result is ever held. Rows are drawn by several threads:
// counters belong to neurons, so their number changes nothing.
#ifndef CORTWIN_CONNECT_H
#define CORTWIN_CONNECT_H

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <mutex>
#include <vector>

#include "philox.h"
#include "rows.h"
#include "threads.h"

namespace cortwin {
namespace connectivity {

const std::uint32_t ENDS = 0, DEGREES = 1;  // purposes
const int GAPS = 4096;                      // longest gap between two synapses that is drawn at once

// Two populations, and whether they are one whose neurons are not to be connected to themselves.
struct Ends {
    std::int64_t n_source, n_target;
    bool distinct;
};

typedef std::vector<std::int32_t> Targets;

// Number the possible partners of a neuron without itself.
inline std::int32_t skip(std::int64_t other, std::int64_t neuron, bool distinct)
{
    return static_cast<std::int32_t>(other + (distinct && other >= neuron));
}

// Turn the degrees in first[1] .. first[n] into the places where rows begin and end; make room for the targets.
inline void add_up(Rows& rows, Targets& targets)
{
    for (std::size_t k = 1; k < rows.first.size(); k++)
        rows.first[k] += rows.first[k - 1];
    if (rows.first.back() > std::numeric_limits<std::int32_t>::max()) {
        std::cerr << "Error: a pathway has " << rows.first.back() << " synapses; it can have 2147483647" << std::endl;
        std::exit(1);
    }
    lengthen(targets, rows.first.back());
}

// Draws the other ends of the synapses of neurons, of each neuron once: independently, or without replacement by
// Floyd's method.
class Partners {
public:
    Partners(Key key, std::int64_t candidates, bool multapses)
        : key(key), candidates(candidates), multapses(multapses), taken(multapses ? 0 : candidates, -1)
    {
    }

    template <typename Use> void draw(std::int64_t neuron, std::int64_t degree, Use&& use)
    {
        Stream stream(key, static_cast<std::uint32_t>(neuron), ENDS);
        for (std::int64_t k = 0; k < degree; k++) {
            if (multapses) {
                use(below(stream.next(), candidates));
                continue;
            }
            const std::int64_t last = candidates - degree + k;
            std::int64_t chosen = below(stream.next(), last + 1);
            if (taken[chosen] == neuron)
                chosen = last;
            taken[chosen] = static_cast<std::int32_t>(neuron);
            use(chosen);
        }
    }

private:
    const Key key;
    const std::int64_t candidates;
    const bool multapses;
    std::vector<std::int32_t> taken;  // (candidate) the last neuron that it was drawn for
};

// Fill rows whose degrees are known.
inline void fill(Rows& rows, Targets& targets, const Ends& ends, bool multapses, Key key)
{
    add_up(rows, targets);
    in_ranges(ends.n_source, std::int64_t(targets.size()) >= LARGE, [&](std::int64_t first, std::int64_t last) {
        Partners partners(key, ends.n_target - ends.distinct, multapses);
        for (std::int64_t source = first; source < last; source++) {
            std::int32_t* place = targets.data() + rows.first[source];
            partners.draw(source, rows.first[source + 1] - rows.first[source],
                          [&](std::int64_t other) { *place++ = skip(other, source, ends.distinct); });
        }
    });
}

inline void all_to_all(Rows& rows, Targets& targets, const Ends& ends)
{
    rows.first.assign(ends.n_source + 1, ends.n_target - ends.distinct);
    rows.first[0] = 0;
    add_up(rows, targets);
    for (std::int64_t source = 0, k = 0; source < ends.n_source; source++)
        for (std::int64_t other = 0; other < ends.n_target - ends.distinct; other++)
            targets[k++] = skip(other, source, ends.distinct);
}

inline void one_to_one(Rows& rows, Targets& targets, const Ends& ends)
{
    rows.first.assign(ends.n_source + 1, 1);
    rows.first[0] = 0;
    add_up(rows, targets);
    for (std::int64_t source = 0; source < ends.n_source; source++)
        targets[source] = static_cast<std::int32_t>(source);
}

inline void fixed_outdegree(Rows& rows, Targets& targets, const Ends& ends, std::int64_t outdegree, bool multapses,
                            Key key)
{
    rows.first.assign(ends.n_source + 1, outdegree);
    rows.first[0] = 0;
    fill(rows, targets, ends, multapses, key);
}

inline void fixed_indegree(Rows& rows, Targets& targets, const Ends& ends, std::int64_t indegree, bool multapses,
                           Key key)
{
    const auto draw = [&](auto&& use) {
        Partners partners(key, ends.n_source - ends.distinct, multapses);
        for (std::int64_t target = 0; target < ends.n_target; target++)
            partners.draw(target, indegree,
                          [&](std::int64_t other) { use(skip(other, target, ends.distinct), target); });
    };
    rows.first.assign(ends.n_source + 1, 0);
    draw([&](std::int32_t source, std::int64_t) { rows.first[source + 1]++; });
    add_up(rows, targets);
    std::vector<std::int64_t> next(rows.first.begin(), rows.first.end() - 1);
    draw([&](std::int32_t source, std::int64_t target) { targets[next[source]++] = target; });
}

inline void fixed_total_number(Rows& rows, Targets& targets, const Ends& ends, std::int64_t number, bool multapses,
                               Key key)
{
    const std::int64_t candidates = ends.n_target - ends.distinct, pairs = ends.n_source * candidates;
    const bool left_out = !multapses && number > pairs / 2;
    std::int64_t wanted = left_out ? pairs - number : number;
    rows.first.assign(ends.n_source + 1, 0);
    std::int64_t* degrees = rows.first.data() + 1;
    const auto drawn = [&](std::uint64_t draw) {
        return philox(key, static_cast<std::uint32_t>(draw), static_cast<std::uint32_t>(draw >> 32), 0, DEGREES);
    };
    std::mutex adding;
    // Two sources from each block of words.
    in_ranges(multapses ? (wanted + 1) / 2 : 0, wanted >= LARGE, [&](std::int64_t first, std::int64_t last) {
        std::vector<std::int32_t> own(ends.n_source);
        for (std::int64_t draw = first; draw < last; draw++) {
            const Block block = drawn(draw);
            own[below(block.words[0], ends.n_source)]++;
            if (2 * draw + 1 < wanted)
                own[below(block.words[1], ends.n_source)]++;
        }
        const std::lock_guard<std::mutex> lock(adding);
        for (std::int64_t source = 0; source < ends.n_source; source++)
            degrees[source] += own[source];
    });
    // Without multiple connections it matters how many a source has already.
    for (std::uint64_t draw = 0; !multapses && wanted > 0; draw++) {
        const Block block = drawn(draw);
        const std::uint32_t source = below(block.words[0], ends.n_source);
        if (below(block.words[1], candidates) >= degrees[source]) {
            degrees[source]++;
            wanted--;
        }
    }
    if (left_out)
        for (std::int64_t source = 0; source < ends.n_source; source++)
            degrees[source] = candidates - degrees[source];
    fill(rows, targets, ends, multapses, key);
}

// Gaps between the targets of a source, by inversion of P(gap >= m) = (1 - p)**m.
class Gaps {
public:
    explicit Gaps(double probability) : powers(GAPS)
    {
        double power = 1.0;
        for (double& p : powers)
            p = power *= 1 - probability;
        for (int part = 0; part <= PARTS; part++)
            begin[part] = above(0, GAPS, static_cast<double>(part) / PARTS);
    }

    // The number of powers that are larger than u; a gap of GAPS goes on.
    std::int64_t operator()(double u) const
    {
        const int part = static_cast<int>(u * PARTS);
        return above(begin[part + 1], begin[part], u);
    }

private:
    static const int PARTS = 256;       // of the unit interval, each with its own range of gaps
    std::vector<double> powers;         // (m - 1), falling
    std::int64_t begin[PARTS + 1];      // (part) number of powers above its lower end

    std::int64_t above(std::int64_t from, std::int64_t to, double u) const
    {
        const auto end = std::partition_point(powers.begin() + from, powers.begin() + to, [u](double p) { return p > u; });
        return end - powers.begin();
    }
};

inline void pairwise_bernoulli(Rows& rows, Targets& targets, const Ends& ends, double probability, Key key)
{
    const Gaps gap_of(probability);
    const std::int64_t candidates = ends.n_target - ends.distinct;
    const auto draw = [&](std::int64_t source, auto&& use) {
        Stream stream(key, static_cast<std::uint32_t>(source), ENDS);
        for (std::int64_t position = 0; position < candidates;) {
            const std::int64_t gap = gap_of(unit(stream.next()));
            position += gap;
            if (gap < GAPS && position < candidates)
                use(position++);
        }
    };
    const bool large = probability * ends.n_source * candidates >= LARGE;
    rows.first.assign(ends.n_source + 1, 0);
    in_ranges(ends.n_source, large, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t source = first; source < last; source++)
            draw(source, [&](std::int64_t) { rows.first[source + 1]++; });
    });
    add_up(rows, targets);
    in_ranges(ends.n_source, large, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t source = first; source < last; source++) {
            std::int32_t* place = targets.data() + rows.first[source];
            draw(source, [&](std::int64_t other) { *place++ = skip(other, source, ends.distinct); });
        }
    });
}

// Synapses that are listed, sorted by source.
inline void from_arrays(Rows& rows, Targets& targets, const Ends& ends, const std::vector<std::int32_t>& source,
                        const std::vector<std::int32_t>& target)
{
    rows.first.assign(ends.n_source + 1, 0);
    for (std::int32_t neuron : source)
        rows.first[neuron + 1]++;
    add_up(rows, targets);
    std::copy(target.begin(), target.end(), targets.begin());
}

// Put the same synapses behind each other for further trials, whose neurons follow those of the first one.
inline void repeat(Rows& rows, Targets& targets, const Ends& ends, std::int64_t trials)
{
    const std::int64_t n = targets.size();
    for (std::int64_t trial = 1; trial < trials; trial++) {
        for (std::int64_t source = 1; source <= ends.n_source; source++)
            rows.first.push_back(rows.first[source] + trial * n);
        lengthen(targets, (trial + 1) * n);
        for (std::int64_t k = 0; k < n; k++)
            targets[trial * n + k] = targets[k] + static_cast<std::int32_t>(trial * ends.n_target);
    }
}

}  // namespace connectivity
}  // namespace cortwin

#endif
