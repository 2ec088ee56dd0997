// The cortical microcircuit, written by hand: how fast this arithmetic can be made on this machine.
//
// Leaky integrate-and-fire neurons with exponential currents, float32, exact integration on a fixed grid, in the order
// of Brian2's schedule: state, threshold, spikes that arrive, reset. Numbers come on standard input (see `read`), what
// was measured goes to standard output as JSON, spikes to a file of (int32 step, int32 neuron) pairs in order.
//
// What makes it fast:
// - the synapses of a source lie together, sorted by delay: at each step the spikes of d steps ago add their slice of
//   delay d to one input vector. There is no queue of synapses and no ring buffer of input, and the vector stays in
//   cache; a synapse is 8 bytes, read in order;
// - a thread owns a range of targets: what threads share is their spikes, and they meet once in a step;
// - Poisson input comes from a table of 4096 entries, exact: entries that do not decide ask for more digits;
// - the rows are drawn in order of their sources: the number of synapses of each source first, which for a fixed total
//   number is multinomial, then targets, weights and delays of one row at a time, sorted where they stay.
// Random numbers belong to sources and to blocks of neurons, not to threads: any number of threads gives the same spikes.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int BLOCK = 1024;      // neurons that share a stream of random numbers
constexpr int MAX_DELAY = 64;    // steps; five standard deviations of the longest delay
constexpr int TABLE_BITS = 12;   // of the Poisson table: eight tables of 4 KB fit beside each other in 32 KB
constexpr int MAX_COUNT = 64;    // Poisson counts above have no probability in double precision for a mean below 8
constexpr std::uint8_t UNDECIDED = 255;

// xoshiro256++ (Blackman & Vigna 2021, doi:10.1145/3460772), seeded by splitmix64 of (seed, stream).
struct Random {
    std::uint64_t s[4];
    Random(std::uint64_t seed, std::uint64_t stream) {
        std::uint64_t z = seed * 0x9E3779B97F4A7C15u ^ (stream + 1) * 0xD1342543DE82EF95u;
        for (auto& word : s) {
            z += 0x9E3779B97F4A7C15u;
            std::uint64_t x = z;
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
            word = x ^ (x >> 31);
        }
    }
    std::uint64_t next() {
        const std::uint64_t result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotate(s[3], 45);
        return result;
    }
    static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    double uniform() { return ((next() >> 11) + 0.5) * 0x1p-53; }
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }
    // Marsaglia's polar method; both of a pair are used by the caller.
    void normals(double& first, double& second) {
        double u, v, r;
        do {
            u = static_cast<double>(static_cast<std::int64_t>(next())) * 0x1p-63;
            v = static_cast<double>(static_cast<std::int64_t>(next())) * 0x1p-63;
            r = u * u + v * v;
        } while (r >= 1.0 || r == 0.0);
        const double scale = std::sqrt(-2.0 * std::log(r) / r);
        first = u * scale;
        second = v * scale;
    }
};

struct Synapse {
    std::int32_t target;
    float weight;
};

struct Circuit {
    int populations, refractory, threads;
    double dt, capacitance, tau_m, tau_syn, threshold, drive_weight, weight_sd, delay_sd, settling, duration;
    std::uint64_t seed;
    std::vector<int> size, first;
    std::vector<double> mean_drive, current, start, start_sd, delay, weight;
    std::vector<std::int64_t> synapses;  // (target, source), like weight
    int neurons = 0;
};

Circuit read(std::istream& in) {
    Circuit c;
    in >> c.populations >> c.threads >> c.seed >> c.dt >> c.capacitance >> c.tau_m >> c.tau_syn >> c.threshold >>
        c.refractory >> c.drive_weight >> c.weight_sd >> c.delay_sd >> c.settling >> c.duration;
    auto numbers = [&](auto& values, int n) {
        values.resize(n);
        for (auto& value : values) in >> value;
    };
    const int n = c.populations;
    numbers(c.size, n);
    numbers(c.mean_drive, n);  // external spikes in a step
    numbers(c.current, n);
    numbers(c.start, n);
    numbers(c.start_sd, n);
    numbers(c.delay, n);  // of each source
    numbers(c.synapses, n * n);
    numbers(c.weight, n * n);
    if (!in) {
        std::fprintf(stderr, "the description of the circuit is cut short\n");
        std::exit(1);
    }
    for (int size : c.size) {
        c.first.push_back(c.neurons);
        c.neurons += size;
    }
    return c;
}

// A run of neurons of one population, with random numbers of their own.
struct Block {
    int population, begin, end;
    Random random;
};

class Poisson {
  public:
    explicit Poisson(double mean) {
        double term = std::exp(-mean), sum = 0;
        for (int k = 0; k < MAX_COUNT; k++, term *= mean / k) cumulative[k] = sum += term;
        constexpr int entries = 1 << TABLE_BITS;
        for (int entry = 0; entry < entries; entry++) {
            const int low = count((entry + 0.0) / entries), high = count((entry + 1.0) / entries);
            table[entry] = low == high ? static_cast<std::uint8_t>(low) : UNDECIDED;
        }
    }
    int count(double u) const {
        int k = 0;
        while (k < MAX_COUNT - 1 && u > cumulative[k]) k++;
        return k;
    }
    std::uint8_t table[1 << TABLE_BITS];

  private:
    double cumulative[MAX_COUNT];
};

// Threads meet here; they have cores of their own, and wait without sleeping.
class Meeting {
  public:
    explicit Meeting(int n) : n(n) {}
    void wait() {
        const int round = rounds.load(std::memory_order_relaxed);
        if (here.fetch_add(1, std::memory_order_acq_rel) == n - 1) {
            here.store(0, std::memory_order_relaxed);
            rounds.store(round + 1, std::memory_order_release);
        } else {
            for (int spins = 0; rounds.load(std::memory_order_acquire) == round; spins++)
                if (spins > 20000) std::this_thread::yield();  // somebody else has the core
        }
    }

  private:
    const int n;
    std::atomic<int> here{0}, rounds{0};
};

struct Network {
    explicit Network(const Circuit& circuit) : c(circuit) {
        divide();
        count();
        in_threads([this](int thread) { draw(thread); });
    }

    template <typename F>
    void in_threads(F work) {
        std::vector<std::thread> others;
        for (int thread = 1; thread < c.threads; thread++) others.emplace_back(work, thread);
        work(0);
        for (auto& other : others) other.join();
    }

    // Ranges of targets with equal numbers of synapses, cut between blocks.
    void divide() {
        std::vector<double> load;
        double all = 0;
        for (int p = 0; p < c.populations; p++) {
            double arriving = 0;
            for (int q = 0; q < c.populations; q++) arriving += static_cast<double>(c.synapses[p * c.populations + q]);
            for (int begin = 0; begin < c.size[p]; begin += BLOCK) {
                const int end = std::min(begin + BLOCK, c.size[p]);
                blocks.push_back({p, c.first[p] + begin, c.first[p] + end, Random(c.seed, blocks.size())});
                all += arriving * (end - begin) / c.size[p];
                load.push_back(all);
            }
        }
        block_of_thread.push_back(0);
        for (int thread = 1; thread < c.threads; thread++)
            block_of_thread.push_back(static_cast<int>(
                std::lower_bound(load.begin(), load.end(), all * thread / c.threads) - load.begin()));
        block_of_thread.push_back(static_cast<int>(blocks.size()));
        thread_of.resize(c.neurons);
        for (int thread = 0; thread < c.threads; thread++)
            for (int b = block_of_thread[thread]; b < block_of_thread[thread + 1]; b++)
                std::fill(thread_of.begin() + blocks[b].begin, thread_of.begin() + blocks[b].end,
                          static_cast<std::uint8_t>(thread));
    }

    // How many synapses each source has onto each population.
    void count() {
        const int n = c.populations;
        outgoing.assign(static_cast<std::size_t>(c.neurons) * n, 0);
        for (int q = 0; q < n; q++)
            for (int p = 0; p < n; p++) {
                Random random(c.seed, 1'000'000 + q * n + p);
                for (std::int64_t k = 0; k < c.synapses[p * n + q]; k++)
                    outgoing[static_cast<std::size_t>(c.first[q] + random.below(c.size[q])) * n + p]++;
            }
        row.assign(c.neurons + 1, 0);
        for (int i = 0; i < c.neurons; i++) {
            row[i + 1] = row[i];
            for (int p = 0; p < n; p++) row[i + 1] += outgoing[static_cast<std::size_t>(i) * n + p];
        }
        synapses.reset(new Synapse[row.back()]);
        buckets = c.threads * MAX_DELAY;
        slice.reset(new std::uint16_t[static_cast<std::size_t>(c.neurons) * (buckets + 1)]);
    }

    // Every thread draws rows of its own, in turn.
    void draw(int thread) {
        const int n = c.populations;
        std::vector<Synapse> drawn;
        std::vector<std::uint16_t> bucket;
        std::vector<std::uint32_t> place(buckets + 1);
        for (int q = 0; q < n; q++)
            for (int i = c.first[q]; i < c.first[q] + c.size[q]; i++) {
                if (i % c.threads != thread) continue;
                const std::size_t length = row[i + 1] - row[i];
                if (length > 65535) {
                    std::fprintf(stderr, "neuron %d has %zu synapses, more than 65535\n", i, length);
                    std::exit(1);
                }
                drawn.resize(length);
                bucket.resize(length);
                std::fill(place.begin(), place.end(), 0);
                Random random(c.seed, 2'000'000 + i);
                std::size_t k = 0;
                for (int p = 0; p < n; p++) {
                    const double mean = c.weight[p * n + q], sd = std::abs(mean) * c.weight_sd;
                    for (std::uint32_t m = outgoing[static_cast<std::size_t>(i) * n + p]; m > 0; m--, k++) {
                        const int target = c.first[p] + static_cast<int>(random.below(c.size[p]));
                        double a, b;
                        random.normals(a, b);
                        double w = mean + sd * a;
                        // Excitatory stays excitatory; at 10 % this happens to nobody.
                        while (w * mean < 0) random.normals(a, b), w = mean + sd * a;
                        double steps = std::nearbyint(c.delay[q] * (1 + c.delay_sd * b) / c.dt);
                        while (steps < 1 || steps >= MAX_DELAY)
                            random.normals(a, b), steps = std::nearbyint(c.delay[q] * (1 + c.delay_sd * a) / c.dt);
                        drawn[k] = {target, static_cast<float>(w)};
                        bucket[k] = static_cast<std::uint16_t>(thread_of[target] * MAX_DELAY + static_cast<int>(steps));
                        place[bucket[k] + 1]++;
                    }
                }
                std::uint16_t* own = slice.get() + static_cast<std::size_t>(i) * (buckets + 1);
                for (int b = 0; b < buckets; b++) {
                    place[b + 1] += place[b];
                    own[b] = static_cast<std::uint16_t>(place[b]);
                }
                own[buckets] = static_cast<std::uint16_t>(length);
                for (std::size_t j = 0; j < length; j++) synapses[row[i] + place[bucket[j]]++] = drawn[j];
            }
    }

    void run() {
        const int all_steps = static_cast<int>(std::lround((c.settling + c.duration) / c.dt));
        const int settled = static_cast<int>(std::lround(c.settling / c.dt));
        std::vector<Poisson> poisson;
        for (double mean : c.mean_drive) poisson.emplace_back(mean);
        std::vector<float> v(c.neurons), current(c.neurons, 0.0f), input(c.neurons, 0.0f);
        std::vector<std::int32_t> waiting(c.neurons, 0);
        for (auto& block : blocks) {
            double a, b;
            for (int i = block.begin; i < block.end; i++) {
                block.random.normals(a, b);
                v[i] = static_cast<float>(c.start[block.population] + c.start_sd[block.population] * a);
            }
        }
        // spikes[thread][step % MAX_DELAY]: what others read is complete when they meet.
        std::vector<std::vector<std::vector<std::int32_t>>> spikes(
            c.threads, std::vector<std::vector<std::int32_t>>(MAX_DELAY));
        Meeting meeting(c.threads);
        std::vector<std::int64_t> events(c.threads * 16, 0);  // a cache line each
        std::chrono::steady_clock::time_point began;
        in_threads([&](int thread) {
            const float decay = static_cast<float>(std::exp(-c.dt / c.tau_m));
            const float synaptic = static_cast<float>(std::exp(-c.dt / c.tau_syn));
            const double tau = c.tau_syn / (c.tau_syn - c.tau_m) * c.tau_m / c.capacitance;
            const float coupling =
                static_cast<float>(tau * (std::exp(-c.dt / c.tau_syn) - std::exp(-c.dt / c.tau_m)));
            const float threshold = static_cast<float>(c.threshold), w_drive = static_cast<float>(c.drive_weight);
            const int first_block = block_of_thread[thread], last_block = block_of_thread[thread + 1];
            std::int64_t delivered = 0;
            for (int step = 0; step < all_steps; step++) {
                if (step == settled) {
                    meeting.wait();
                    if (thread == 0) began = std::chrono::steady_clock::now();
                    delivered = 0;
                }
                auto& fired = spikes[thread][step % MAX_DELAY];
                fired.clear();
                for (int b = first_block; b < last_block; b++) {
                    Block& block = blocks[b];
                    const float dc = static_cast<float>(c.current[block.population] * c.tau_m / c.capacitance *
                                                        (1 - std::exp(-c.dt / c.tau_m)));
                    float* const V = v.data() + block.begin;
                    float* const I = current.data() + block.begin;
                    float* const X = input.data() + block.begin;
                    std::int32_t* const wait = waiting.data() + block.begin;
                    const int n = block.end - block.begin;
                    std::int32_t any = 0;
                    for (int i = 0; i < n; i++) {
                        const float moved = V[i] * decay + I[i] * coupling + dc;
                        const bool free = wait[i] <= 0;
                        V[i] = free ? moved : V[i];
                        I[i] = I[i] * synaptic;
                        wait[i] -= 1;
                        any |= (V[i] > threshold);
                    }
                    if (any)
                        for (int i = 0; i < n; i++)
                            if (V[i] > threshold) {
                                fired.push_back(block.begin + i);
                                V[i] = 0.0f;
                                wait[i] = c.refractory - 1;
                            }
                    drive(block, poisson[block.population], w_drive, X);
                }
                deliver(thread, step, spikes, input.data(), delivered);
                const int begin = blocks[first_block].begin, end = blocks[last_block - 1].end;
                for (int i = begin; i < end; i++) {
                    current[i] += input[i];
                    input[i] = 0.0f;
                }
                meeting.wait();
                if (thread == 0 && step >= settled)
                    for (auto& one : spikes)
                        for (int neuron : one[step % MAX_DELAY]) recorded.push_back({step - settled, neuron});
            }
            events[thread * 16] = delivered;
        });
        seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        for (int thread = 0; thread < c.threads; thread++) synaptic_events += events[thread * 16];
    }

    static void drive(Block& block, const Poisson& poisson, float weight, float* X) {
        const int n = block.end - block.begin;
        Random random = block.random;
        for (int i = 0; i < n; i += 5) {
            std::uint64_t bits = random.next();
            const int m = std::min(5, n - i);
            for (int k = 0; k < m; k++, bits >>= TABLE_BITS) {
                const int entry = bits & ((1 << TABLE_BITS) - 1);
                int count = poisson.table[entry];
                if (count == UNDECIDED) count = poisson.count((entry + random.uniform()) / (1 << TABLE_BITS));
                X[i + k] = weight * static_cast<float>(count);
            }
        }
        block.random = random;
    }

    void deliver(int thread, int step, const std::vector<std::vector<std::vector<std::int32_t>>>& spikes, float* input,
                 std::int64_t& delivered) const {
        for (int delay = 1; delay < MAX_DELAY && delay <= step; delay++) {
            const int bucket = thread * MAX_DELAY + delay;
            for (const auto& one : spikes)
                for (const int source : one[(step - delay) % MAX_DELAY]) {
                    const std::uint16_t* own = slice.get() + static_cast<std::size_t>(source) * (buckets + 1) + bucket;
                    const Synapse* s = synapses.get() + row[source] + own[0];
                    const Synapse* const end = synapses.get() + row[source] + own[1];
                    // The next step reads the next slice of this source.
                    for (int line = 0; line < 16; line++) __builtin_prefetch(end + 8 * line);
                    delivered += end - s;
                    for (; s != end; s++) input[s->target] += s->weight;
                }
        }
    }

    const Circuit& c;
    std::vector<Block> blocks;
    std::vector<int> block_of_thread;
    std::vector<std::uint8_t> thread_of;
    std::vector<std::uint32_t> outgoing;  // (source, population)
    std::vector<std::size_t> row;
    std::unique_ptr<Synapse[]> synapses;
    std::unique_ptr<std::uint16_t[]> slice;  // (source, thread, delay): where it begins in the source's row
    int buckets = 0;
    std::vector<std::pair<std::int32_t, std::int32_t>> recorded;
    double seconds = 0;
    std::int64_t synaptic_events = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const Circuit circuit = read(std::cin);
    const auto began = std::chrono::steady_clock::now();
    Network network(circuit);
    const double build = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    network.run();
    if (argc > 1) {
        std::FILE* file = std::fopen(argv[1], "wb");
        if (!file || std::fwrite(network.recorded.data(), 8, network.recorded.size(), file) != network.recorded.size() ||
            std::fclose(file) != 0) {
            std::fprintf(stderr, "the spikes cannot be written to %s\n", argv[1]);
            return 1;
        }
    }
    std::printf("{\"build_s\": %.4f, \"run_s\": %.4f, \"synapses\": %zu, \"events\": %lld, \"spikes\": %zu}\n", build,
                network.seconds, network.row.back(), static_cast<long long>(network.synaptic_events),
                network.recorded.size());
}
