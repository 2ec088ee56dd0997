// Random words: a stream of its own for each code object.
//
// A stream is eight generators xoshiro256++ side by side (Blackman & Vigna 2021, doi:10.1145/3460772), whose states come
// from (seed, number of the stream) by SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195), and as many
// for each stretch of the elements that a loop goes through, from its number besides. Streams are numbered in the order
// in which they are first drawn from after a seed is set: a program draws the same numbers under the same seed,
// whatever the number of its threads.
#ifndef CORTWIN_STREAM_H
#define CORTWIN_STREAM_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace cortwin {

class Stream;

inline std::uint64_t unknown_seed() {
    std::random_device device;
    return (std::uint64_t(device()) << 32) | device();
}

// What all streams share: the seed, and how many streams have begun since it was set.
struct Root {
    std::uint64_t seed = unknown_seed();
    std::uint64_t begun = 0;
    std::vector<Stream*> streams;
};

inline Root& root() {
    static Root only;
    return only;
}

// SplitMix64: the next number of a counter.
inline std::uint64_t split_mix(std::uint64_t& counter) {
    std::uint64_t z = counter += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

// A word as a number in [0, 1), a multiple of 2^-53.
inline double unit(std::uint64_t word) { return double(word >> 11) / 9007199254740992.0; }

// Eight generators side by side.
class Generators {
public:
    static const std::size_t lanes = 8;

    void begin(std::uint64_t counter) {
        for (std::size_t lane = 0; lane < lanes; lane++)
            for (int part = 0; part < 4; part++) state[lane / width][part][lane % width] = split_mix(counter);
    }

    // So many words, and as many more as make a multiple of eight.
    void fill(std::uint64_t* into, std::size_t count) {
        for (std::size_t v = 0; v < lanes / width; v++) {
            Lanes a = load(state[v][0]), b = load(state[v][1]), c = load(state[v][2]), d = load(state[v][3]);
            for (std::size_t k = v * width; k < count + v * width; k += lanes) {
                const Lanes sum = a + d;
                store(((sum << 23) | (sum >> 41)) + a, into + k);
                const Lanes shifted = b << 17;
                c ^= a;
                d ^= b;
                b ^= c;
                a ^= d;
                c ^= shifted;
                d = (d << 45) | (d >> 19);
            }
            store(a, state[v][0]);
            store(b, state[v][1]);
            store(c, state[v][2]);
            store(d, state[v][3]);
        }
    }

private:
    // Four generators to a vector; the compiler cuts it up for processors with shorter ones.
    static const std::size_t width = 4;
    typedef std::uint64_t Lanes __attribute__((vector_size(32)));

    static Lanes load(const std::uint64_t* from) {
        Lanes loaded;
        std::memcpy(&loaded, from, sizeof(loaded));
        return loaded;
    }
    static void store(Lanes what, std::uint64_t* into) { std::memcpy(into, &what, sizeof(what)); }

    std::uint64_t state[lanes / width][4][width];  // no vectors: an array that grows need not be aligned to them
};

class Stream {
public:
    static const std::size_t size = 256;  // words at a time

    Stream() : position(size), begun(false) { root().streams.push_back(this); }
    Stream(const Stream&) = delete;  // its address is known
    Stream& operator=(const Stream&) = delete;

    std::uint64_t next() {
        if (position == size) {
            if (!begun) begin();
            own.fill(words, size);
            position = 0;
        }
        return words[position++];
    }
    double uniform() { return unit(next()); }

    // The generators of a stretch of elements. Those that are there may be used by several threads, each its own.
    Generators& stretch(std::size_t number) {
        if (!begun) begin();
        while (stretches.size() <= number) {
            std::uint64_t counter = key;
            counter = split_mix(counter) ^ ((stretches.size() + 1) * 0xD1342543DE82EF95u);
            stretches.emplace_back();
            stretches.back().begin(counter);
        }
        return stretches[number];
    }

    // Begin anew, at the next draw.
    void restart() {
        position = size;
        begun = false;
        stretches.clear();
    }

private:
    std::uint64_t words[size];
    std::size_t position;
    bool begun;
    std::uint64_t key;
    Generators own;
    std::vector<Generators> stretches;

    void begin() {
        key = root().seed;
        key = split_mix(key) ^ (root().begun++ * 0xD1342543DE82EF95u);  // odd: each number has its own
        own.begin(key);
        begun = true;
    }
};

// Words one by one from the generators of a stretch.
class Supply {
public:
    explicit Supply(Generators& of) : of(of), left(0) {}
    std::uint64_t next() {
        if (left == 0) {
            of.fill(words, Generators::lanes);
            left = Generators::lanes;
        }
        return words[--left];
    }
    double uniform() { return unit(next()); }

private:
    Generators& of;
    std::uint64_t words[Generators::lanes];
    std::size_t left;
};

// The elements of a loop draw in stretches, each from generators of its own: what they draw does not depend on which
// thread goes through which of them.
const std::size_t STRETCH = 64;

// `each(place, count, generators)` for the stretches of `count` elements from `first` on, the beginning of a stretch.
template <class Each> void by_stretch(std::size_t first, std::size_t count, Stream& stream, Each each) {
    for (std::size_t place = 0; place < count; place += STRETCH)
        each(place, count - place < STRETCH ? count - place : STRETCH, stream.stretch((first + place) / STRETCH));
}

inline void uniforms(double* into, std::size_t first, std::size_t count, Stream& stream) {
    by_stretch(first, count, stream, [=](std::size_t place, std::size_t part, Generators& generators) {
        std::uint64_t words[STRETCH];
        generators.fill(words, part);
        for (std::size_t k = 0; k < part; k++) into[place + k] = unit(words[k]);
    });
}

// Set the seed of all streams; they begin anew.
inline void seed(std::uint64_t value) {
    root().seed = value;
    root().begun = 0;
    for (Stream* stream : root().streams) stream->restart();
}

// Set a seed that nobody knows.
inline void seed() { seed(unknown_seed()); }

}  // namespace cortwin

#endif
