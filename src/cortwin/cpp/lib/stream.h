// Random words: a stream of its own for each code object.
//
// A stream is eight generators xoshiro256++ side by side (Blackman & Vigna 2021, doi:10.1145/3460772), whose states come
// from (seed, number of the stream) by SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195). Streams are
// numbered in the order in which they are first drawn from after a seed is set: a program draws the same numbers under
// the same seed, whatever the number of threads of its other parts.
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

class Stream {
public:
    static const std::size_t size = 256;  // words at a time

    Stream() : position(size), begun(false) { root().streams.push_back(this); }
    Stream(const Stream&) = delete;  // its address is known
    Stream& operator=(const Stream&) = delete;

    std::uint64_t next() {
        if (position == size) refill();
        return words[position++];
    }

    // Many words at once; the same words as so many calls of next().
    void fill(std::uint64_t* into, std::size_t count) {
        while (count > 0) {
            if (position == size) refill();
            const std::size_t part = count < size - position ? count : size - position;
            std::memcpy(into, words + position, part * sizeof(*into));
            position += part;
            into += part;
            count -= part;
        }
    }

    // A number in [0, 1), a multiple of 2^-53.
    double uniform() { return double(next() >> 11) / 9007199254740992.0; }

    // Begin anew, at the next draw.
    void restart() {
        position = size;
        begun = false;
    }

private:
    // Four generators to a vector; the compiler cuts it up for processors with shorter ones.
    typedef std::uint64_t Lanes __attribute__((vector_size(32)));
    static const int vectors = 2, lanes = 4;

    std::uint64_t words[size];
    std::size_t position;
    bool begun;
    Lanes state[vectors][4];

    static std::uint64_t split_mix(std::uint64_t& counter) {
        std::uint64_t z = counter += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }

    void begin() {
        std::uint64_t counter = root().seed;
        counter = split_mix(counter) ^ (root().begun++ * 0xD1342543DE82EF95u);  // odd: each number has its own
        for (int v = 0; v < vectors; v++) {
            for (int lane = 0; lane < lanes; lane++) {
                for (int part = 0; part < 4; part++) state[v][part][lane] = split_mix(counter);
            }
        }
        begun = true;
    }

    void refill() {
        if (!begun) begin();
        for (int v = 0; v < vectors; v++) {
            Lanes a = state[v][0], b = state[v][1], c = state[v][2], d = state[v][3];
            for (std::size_t k = v * lanes; k < size; k += vectors * lanes) {
                const Lanes sum = a + d;
                const Lanes word = ((sum << 23) | (sum >> 41)) + a;
                std::memcpy(words + k, &word, sizeof(word));
                const Lanes shifted = b << 17;
                c ^= a;
                d ^= b;
                b ^= c;
                a ^= d;
                c ^= shifted;
                d = (d << 45) | (d >> 19);
            }
            state[v][0] = a;
            state[v][1] = b;
            state[v][2] = c;
            state[v][3] = d;
        }
        position = 0;
    }
};

inline void uniforms(double* into, std::size_t count, Stream& stream) {
    for (std::size_t k = 0; k < count; k++) into[k] = stream.uniform();
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
