// Random pathways, delivered by cortwin::Delivery and by Brian2's own queue of synapses, step by step.
//
//     delivery SEED CASES rows|arrays
//
// prints what was delivered, and ends with status 1 at the first difference. On one thread the synapses must come in
// the same order; on several, those of each target must, however often one thread goes on alone.
#include <cmath>
#include <map>
#include <random>

#include "brianlib/spikequeue.h"
#include "cortwin/delivery.h"

using cortwin::Delivery;
using cortwin::Piece;

std::mt19937 generator;
std::atomic<long> travelled{0};

int draw(int from, int to) { return std::uniform_int_distribution<int>(from, to)(generator); }

struct Pathway {
    int source_begin, source_end, target_begin, target_end, n_elements;
    std::vector<int32_t> sources, targets;
    std::vector<double> delays;  // seconds, one or one for each synapse
};

Pathway random_pathway(bool large)
{
    Pathway p;
    p.source_begin = draw(0, 5);
    p.source_end = p.source_begin + (large ? draw(200, 400) : draw(1, 40));
    p.target_begin = draw(0, 5);
    p.target_end = p.target_begin + (large ? draw(50, 500) : draw(1, 200));
    p.n_elements = p.target_end + draw(0, 100);
    const int n = large ? draw(100000, 150000) : draw(0, 3) == 0 ? draw(0, 3) : draw(0, 3000);
    for (int k = 0; k < n; k++) {
        p.sources.push_back(draw(p.source_begin, p.source_end - 1));
        p.targets.push_back(draw(p.target_begin, p.target_end - 1));
    }
    if (draw(0, 1))
        std::sort(p.sources.begin(), p.sources.end());
    return p;
}

void draw_delays(Pathway& p, double dt, bool one)
{
    p.delays.clear();
    const int shortest = draw(0, 1) * draw(0, 8), longest = shortest + draw(0, 1) * draw(0, 25);
    for (std::size_t k = 0; k < (one ? 1 : p.sources.size()); k++)
        p.delays.push_back((draw(shortest, longest) + draw(-3, 3) * 0.1) * dt);
    for (double& delay : p.delays)
        delay = std::max(delay, 0.0);
}

// What synapses have, by their place: their number in the order in which they were drawn, and something to go with it.
struct Columns {
    std::vector<int32_t> number;
    std::vector<double> twice;
    std::vector<char> flag;

    explicit Columns(std::size_t n)
    {
        for (std::size_t k = 0; k < n; k++) {
            number.push_back(k);
            twice.push_back(2.0 * k);
            flag.push_back(k % 7);
        }
    }
};

// The numbers of what is delivered in a step, by each thread where all take part: their spikes are remembered by each.
// Values travel with a spike, or are looked up where it arrives.
std::vector<std::vector<int32_t>> delivered(Delivery& delivery, const std::vector<int32_t>& spikes, const Columns& columns,
                                            bool travel, bool together)
{
    std::vector<std::vector<int32_t>> found(together ? cortwin::threads() : 1);
    const auto step = [&](int thread) {
        delivery.push(spikes.data(), spikes.size());
        const auto work = [&](const std::vector<Piece>& pieces) {
            for (const Piece& piece : pieces)
                for (int64_t k = piece.begin; k < piece.end; k++)
                    found[thread].push_back(columns.number[piece.list ? piece.list[k] : k]);
        };
        const auto work_events = [&](const auto* events, int64_t n) {
            const auto number = cortwin::field<0>(events);
            const auto twice = cortwin::field<1>(events);
            const auto flag = cortwin::field<2>(events);
            for (int64_t k = 0; k < n; k++) {
                const bool whole = twice[k] == 2.0 * number[k] && flag[k] == number[k] % 7;
                found[thread].push_back(whole ? number[k] : -1);
            }
            travelled += n;
        };
        if (travel)
            delivery.deliver(cortwin::values(columns.number.data(), columns.twice.data(), columns.flag.data()), work,
                             work_events);
        else
            delivery.deliver(cortwin::values(), work, [](const int32_t*, int64_t) { std::abort(); });
    };
    if (together)
        cortwin::in_parallel([&](int part) {
            cortwin::share = {part, cortwin::threads()};
            step(part);
            cortwin::share = {0, 1};
        });
    else
        step(0);
    return found;
}

// Numbers of synapses by their targets.
std::map<int32_t, std::vector<int32_t>> by_target(const std::vector<int32_t>& synapses, const Pathway& p)
{
    std::map<int32_t, std::vector<int32_t>> sorted;
    for (const int32_t synapse : synapses)
        sorted[p.targets[synapse]].push_back(synapse);
    return sorted;
}

long events = 0, divided = 0;

// With `sorted` rows the order of a row is another one than the queue's.
bool same(Delivery& delivery, CSpikeQueue& queue, const Pathway& p, const Columns& columns, bool sorted, bool travel,
          const std::vector<int32_t>& spikes, bool together)
{
    const auto found = delivered(delivery, spikes, columns, travel, together);
    const std::vector<int32_t> expected = *queue.peek();
    events += expected.size();
    if (cortwin::threads() == 1 && !sorted)
        return found[0] == expected;
    std::map<int32_t, std::vector<int32_t>> all;
    for (const auto& part : found)
        for (auto& target : by_target(part, p))
            if (!all.insert(target).second)
                return false;  // two threads have one target
    divided += found.size() > 1 && !found[1].empty();
    return all == by_target(expected, p);
}

std::vector<int32_t> random_spikes(const Pathway& p)
{
    std::vector<int32_t> spikes;
    const int percent = draw(0, 2) * draw(0, 30);
    for (int neuron = 0; neuron < p.source_end + 3; neuron++)
        if (draw(0, 99) < percent)
            spikes.push_back(neuron);
    return spikes;
}

bool run(Delivery& delivery, CSpikeQueue& queue, const Pathway& p, const Columns& columns, bool sorted, int n_steps)
{
    const bool travel = draw(0, 1);
    bool together = false;  // the first step is one thread's
    for (int step = 0; step < n_steps; step++) {
        std::vector<int32_t> spikes = random_spikes(p);
        if (step > 0 && delivery.divided() && draw(0, 9) == 0) {
            together = !together;
            if (together)
                delivery.replicate();
        }
        queue.advance();
        if (!p.sources.empty())  // Brian2 would look at the delay of a synapse
            queue.push(spikes.data(), spikes.size());
        if (!same(delivery, queue, p, columns, sorted, travel, spikes, together))
            return false;
    }
    return true;
}

// Brian2's arrays, in any order, with other delays, time steps and synapses from run to run.
bool arrays_case(bool large)
{
    Pathway p = random_pathway(large);
    const cortwin::Group group(p.n_elements);
    Delivery delivery("arrays", p.source_begin, p.source_end, p.target_begin, p.target_end, &group);
    CSpikeQueue queue(p.source_begin, p.source_end);
    const bool one = draw(0, 1), divisible = draw(0, 3);
    double dt = 1e-4;
    draw_delays(p, dt, one);
    for (int r = 0; r < 4; r++) {
        if (draw(0, 1))
            draw_delays(p, dt, one);
        if (draw(0, 5) == 0)
            dt *= draw(0, 1) ? 2.5 : 0.4;
        if (!large && draw(0, 3) == 0) {
            p.sources.push_back(draw(p.source_begin, p.source_end - 1));
            p.targets.push_back(draw(p.target_begin, p.target_end - 1));
            if (!one)
                p.delays.push_back(3 * dt);
        }
        queue.prepare(p.delays.data(), p.delays.size(), p.sources.data(), p.sources.size(), dt);
        delivery.begin_run(p.sources.data(), p.targets.data(), p.sources.size(), p.delays.data(), p.delays.size(), dt);
        delivery.build(divisible);
        if (!run(delivery, queue, p, Columns(p.sources.size()), false, large ? 40 : draw(1, 60)))
            return false;
    }
    return true;
}

// Rows, with a delay drawn for each synapse or one for all; what synapses have is sorted with them.
bool rows_case(bool large)
{
    Pathway p = random_pathway(large);
    std::sort(p.sources.begin(), p.sources.end());
    const double dt = 1e-4;
    const bool one = draw(0, 1);
    draw_delays(p, dt, one);
    const Pathway drawn = p;
    cortwin::Rows rows;
    rows.first.assign(p.source_end - p.source_begin + 1, 0);
    Columns columns(p.sources.size());
    for (std::size_t k = 0; k < p.sources.size(); k++) {
        rows.first[p.sources[k] - p.source_begin + 1]++;
        if (!one)
            rows.delays.push_back(static_cast<uint16_t>(p.delays[k] / dt + 0.5));
    }
    for (std::size_t s = 1; s < rows.first.size(); s++)
        rows.first[s] += rows.first[s - 1];
    const cortwin::Group group(p.n_elements);
    Delivery delivery("rows", p.source_begin, p.source_end, p.target_begin, p.target_end, &group);
    CSpikeQueue queue(p.source_begin, p.source_end);
    for (int r = 0; r < 3; r++) {
        if (one)
            draw_delays(p, dt, one);
        queue.prepare(p.delays.data(), p.delays.size(), p.sources.data(), p.sources.size(), dt);
        delivery.begin_run(rows, p.targets.data(), p.delays.data(), dt,
                           {{p.targets.data(), 4},
                            {columns.number.data(), 4},
                            {columns.twice.data(), 8},
                            {columns.flag.data(), 1}});
        delivery.build(true);
        if (!run(delivery, queue, drawn, columns, true, large ? 40 : draw(1, 60)))
            return false;
    }
    for (std::size_t k = 0; k < p.targets.size(); k++)
        if (p.targets[k] != drawn.targets[columns.number[k]] || columns.flag[k] != columns.number[k] % 7)
            return false;
    return true;
}

int main(int, char** arguments)
{
    const int seed = std::atoi(arguments[1]), cases = std::atoi(arguments[2]);
    for (int number = 0; number < cases; number++) {
        generator.seed(seed + number);
        const bool large = number % 20 == 0;
        if (!(arguments[3][0] == 'r' ? rows_case(large) : arrays_case(large))) {
            std::cout << "case " << seed + number << " differs" << std::endl;
            return 1;
        }
    }
    std::cout << events << " events, " << divided << " steps divided, " << travelled << " travelled" << std::endl;
    return 0;
}
