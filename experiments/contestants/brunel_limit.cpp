// Brunel's network, written by hand for one thread: how fast this arithmetic can be made on this machine.
//
// float64, exact integration on the grid, in the order of Brian2's schedule: state, threshold, spikes that arrive and
// background, reset. Every spike is recorded. The sampler of the background is the engine's own (counts.h), so that
// what is measured is the simulation around it. On standard input stand n_e, n_i, c_e, c_i, g, J, events of the
// background in a step, steps, seed; on standard output what was measured, as JSON; in the file that is named pairs of
// int32 (step, neuron).
//
// What makes it fast: the targets of a source lie together, 4 bytes each, and are all that a synapse is. One delay
// means that the spikes of 15 steps ago are those that arrive: no queue. A refractory neuron is at the reset potential,
// so it is put back there at the end of the step instead of being asked about by every synapse.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <vector>

#include "counts.h"
#include "stream.h"

constexpr double THRESHOLD = 20, RESET = 10, TAU_M = 20, DT = 0.1;  // mV, ms
constexpr int REFRACTORY = 20, DELAY = 15;                          // steps

struct Rows {
    std::vector<std::int64_t> first;
    std::vector<std::int32_t> target;
};

// Each target draws its sources, with replacement; sorted by source by counting.
Rows fixed_indegree(int n_e, int n_i, int c_e, int c_i, cortwin::Stream& stream) {
    const int n = n_e + n_i, degree = c_e + c_i;
    std::vector<std::int32_t> source(std::size_t(n) * degree);
    for (std::size_t k = 0; k < source.size(); k++) {
        const bool excitatory = int(k % degree) < c_e;
        source[k] = excitatory ? std::int32_t(stream.uniform() * n_e) : n_e + std::int32_t(stream.uniform() * n_i);
    }
    Rows rows{std::vector<std::int64_t>(n + 1, 0), std::vector<std::int32_t>(source.size())};
    for (std::int32_t s : source) rows.first[s + 1]++;
    for (int s = 0; s < n; s++) rows.first[s + 1] += rows.first[s];
    std::vector<std::int64_t> next(rows.first.begin(), rows.first.end() - 1);
    for (std::size_t k = 0; k < source.size(); k++) rows.target[next[source[k]]++] = std::int32_t(k / degree);
    return rows;
}

int main(int, char** argv) {
    int n_e, n_i, c_e, c_i, steps;
    double g, J, events;
    std::uint64_t seed;
    std::cin >> n_e >> n_i >> c_e >> c_i >> g >> J >> events >> steps >> seed;
    if (!std::cin) return std::fprintf(stderr, "the description of the network is cut short\n"), 1;
    const int n = n_e + n_i;
    const double decay = std::exp(-DT / TAU_M);
    cortwin::seed(seed);
    cortwin::Stream stream;
    const Rows rows = fixed_indegree(n_e, n_i, c_e, c_i, stream);
    const cortwin::Counts background = cortwin::Counts::poisson(events);
    std::vector<double> potential(n);
    for (double& v : potential) v = RESET + (THRESHOLD - RESET) * stream.uniform();
    std::vector<std::int32_t> count(n), record;
    std::vector<std::vector<std::int32_t>> spikes(REFRACTORY);  // of the latest steps
    for (auto& one : spikes) one.reserve(n);

    const auto start = std::chrono::steady_clock::now();
    double* __restrict v = potential.data();
    for (int step = 0; step < steps; step++) {
        auto& now = spikes[step % REFRACTORY];
        now.resize(n);
        int fired = 0;
        for (int i = 0; i < n; i++) v[i] *= decay;
        for (int i = 0; i < n; i++) {
            now[fired] = i;
            fired += v[i] > THRESHOLD;
        }
        now.resize(fired);
        for (std::int32_t i : now) {
            record.push_back(step);
            record.push_back(i);
        }
        if (step >= DELAY) {
            for (std::int32_t source : spikes[(step - DELAY) % REFRACTORY]) {
                const double jump = source < n_e ? J : -g * J;
                const std::int32_t* target = rows.target.data() + rows.first[source];
                const std::int32_t* end = rows.target.data() + rows.first[source + 1];
                for (; target != end; target++) v[*target] += jump;
            }
        }
        background.draw(count.data(), 0, n, stream);
        for (int i = 0; i < n; i++) v[i] += J * count[i];
        for (const auto& one : spikes) {
            for (std::int32_t i : one) v[i] = RESET;
        }
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

    std::FILE* file = std::fopen(argv[1], "wb");
    if (!file || std::fwrite(record.data(), sizeof(record[0]), record.size(), file) != record.size()) {
        return std::fprintf(stderr, "the spikes could not be written\n"), 1;
    }
    std::fclose(file);
    std::printf("{\"seconds\": %.6f, \"spikes\": %zu}\n", seconds, record.size() / 2);
}
