// Philox4x32-10: random numbers as a function of a key and a counter, without a state.
//
// Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy as 1, 2, 3, doi:10.1145/2063384.2063405.
// `cortwin/connectivity/philox.py` is the slow reference, number for number.
#ifndef CORTWIN_PHILOX_H
#define CORTWIN_PHILOX_H

#include <cstdint>

namespace cortwin {
namespace connectivity {

struct Key {
    std::uint32_t words[2];
};

// What one counter gives: two words of 64 bits.
struct Block {
    std::uint64_t words[2];
};

inline Block philox(Key key, std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3)
{
    std::uint32_t k0 = key.words[0], k1 = key.words[1];
    for (int round = 0; round < 10; round++) {
        const std::uint64_t product0 = std::uint64_t(0xD2511F53) * c0, product1 = std::uint64_t(0xCD9E8D57) * c2;
        c0 = std::uint32_t(product1 >> 32) ^ c1 ^ k0;
        c1 = std::uint32_t(product1);
        c2 = std::uint32_t(product0 >> 32) ^ c3 ^ k1;
        c3 = std::uint32_t(product0);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return {{c0 | std::uint64_t(c1) << 32, c2 | std::uint64_t(c3) << 32}};
}

// A whole number from 0 to n - 1; none is more likely than 1/n by a factor beyond 1 + n/2**64.
inline std::uint32_t below(std::uint64_t word, std::uint64_t n)
{
    return static_cast<std::uint32_t>((static_cast<unsigned __int128>(word) * n) >> 64);
}

// A number strictly between 0 and 1: the middle of one of 2**52 equal intervals, exact.
inline double unit(std::uint64_t word)
{
    return (static_cast<double>(word >> 12) + 0.5) * 0x1p-52;
}

// The words of one neuron, or of one long list, one after the other: counter (block, neuron, 0, purpose).
class Stream {
public:
    Stream(Key key, std::uint32_t neuron, std::uint32_t purpose) : key(key), neuron(neuron), purpose(purpose) {}

    std::uint64_t next()
    {
        if (place % 2 == 0)
            block = philox(key, static_cast<std::uint32_t>(place >> 1), neuron, 0, purpose);
        return block.words[place++ % 2];
    }

private:
    Key key;
    std::uint32_t neuron, purpose;
    std::uint64_t place = 0;
    Block block{};
};

}  // namespace connectivity
}  // namespace cortwin

#endif
