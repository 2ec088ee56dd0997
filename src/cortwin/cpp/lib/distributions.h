// Numbers that are drawn for each synapse or neuron: those of synapses 2k and 2k + 1 from the counter (k, k >> 32,
// attempt, purpose).
#ifndef CORTWIN_DISTRIBUTIONS_H
#define CORTWIN_DISTRIBUTIONS_H

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "philox.h"
#include "threads.h"

namespace cortwin {
namespace connectivity {

// Quantile of the standard normal distribution to about 1e-16: algorithm AS 241, routine PPND16 (Wichura 1988,
// doi:10.2307/2347330). Its middle part, for |p - 0.5| <= MIDDLE:
const double MIDDLE = 0.425;
inline double middle_quantile(double q)
{
    const double r = 0.180625 - q * q;
    return q * (((((((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r + 6.7265770927008700853e4) * r +
                    4.5921953931549871457e4) * r + 1.3731693765509461125e4) * r + 1.9715909503065514427e3) * r +
                 1.3314166789178437745e2) * r + 3.3871328727963666080e0) /
           (((((((5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r + 3.9307895800092710610e4) * r +
                2.1213794301586595867e4) * r + 5.3941960214247511077e3) * r + 6.8718700749205790830e2) * r +
             4.2313330701600911252e1) * r + 1.0);
}

inline double normal_quantile(double p)
{
    const double q = p - 0.5;
    if (std::fabs(q) <= MIDDLE)
        return middle_quantile(q);
    double r = std::sqrt(-std::log(q < 0 ? p : 1 - p)), z;
    if (r <= 5) {
        r -= 1.6;
        z = (((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) * r +
                1.27045825245236838258e0) * r + 3.64784832476320460504e0) * r + 5.76949722146069140550e0) * r +
              4.63033784615654529590e0) * r + 1.42343711074968357734e0) /
            (((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2) * r +
                 1.48103976427480074590e-1) * r + 6.89767334985100004550e-1) * r + 1.67638483018380384940e0) * r +
              2.05319162663775882187e0) * r + 1.0);
    } else {
        r -= 5;
        z = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3) * r +
                2.65321895265761230930e-2) * r + 2.96560571828504891230e-1) * r + 1.78482653991729133580e0) * r +
              5.46378491116411436990e0) * r + 6.65790464350110377720e0) /
            (((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) * r +
                 7.86869131145613259100e-4) * r + 1.48753612908506148525e-2) * r + 1.36929880922735805310e-1) * r +
              5.99832206555887937690e-1) * r + 1.0);
    }
    return q < 0 ? -z : z;
}

struct Normal {
    double mean, sd, minimum, maximum;

    bool accepts(double value) const { return value >= minimum && value <= maximum; }
    double operator()(std::uint64_t word) const { return mean + sd * normal_quantile(unit(word)); }

    // Many at once: the middle part of all, which the compiler vectorises, then those that lie elsewhere.
    void operator()(const std::uint64_t* words, double* values, int n) const
    {
        for (int k = 0; k < n; k++)
            values[k] = mean + sd * middle_quantile(unit(words[k]) - 0.5);
        for (int k = 0; k < n; k++)
            if (!(std::fabs(unit(words[k]) - 0.5) <= MIDDLE))
                values[k] = (*this)(words[k]);
    }
};

struct Uniform {
    double minimum, maximum;

    bool accepts(double) const { return true; }
    double operator()(std::uint64_t word) const { return minimum + (maximum - minimum) * unit(word); }

    void operator()(const std::uint64_t* words, double* values, int n) const
    {
        for (int k = 0; k < n; k++)
            values[k] = (*this)(words[k]);
    }
};

const int PAIRS = 64;  // drawn at once

// Hand the numbers 0 .. n - 1 of a purpose to `use(k, value)`, in any order and from several threads where there are many;
// what is not accepted is drawn again.
template <typename Distribution, typename Use>
void draw(const Distribution& distribution, std::int64_t n, Key key, std::uint32_t purpose, Use&& use)
{
    const auto drawn = [&](std::uint64_t pair, std::uint32_t attempt) {
        return philox(key, static_cast<std::uint32_t>(pair), static_cast<std::uint32_t>(pair >> 32), attempt, purpose);
    };
    in_ranges((n + 1) / 2, n >= LARGE, [&](std::int64_t begin, std::int64_t end) {
        std::uint64_t words[2 * PAIRS];
        double values[2 * PAIRS];
        for (std::int64_t first = begin; first < end; first += PAIRS) {
            const int pairs = static_cast<int>(std::min<std::int64_t>(PAIRS, end - first));
            for (int k = 0; k < pairs; k++) {
                const Block block = drawn(first + k, 0);
                words[2 * k] = block.words[0];
                words[2 * k + 1] = block.words[1];
            }
            distribution(words, values, 2 * pairs);
            for (int k = 0; k < 2 * pairs && 2 * first + k < n; k++) {
                for (std::uint32_t again = 1; !distribution.accepts(values[k]); again++)
                    values[k] = distribution(drawn(first + k / 2, again).words[k % 2]);
                use(2 * first + k, values[k]);
            }
        }
    });
}

// Draw the values of a variable.
template <typename T, typename Distribution>
void draw_values(T* values, std::int64_t n, const Distribution& distribution, Key key, std::uint32_t purpose)
{
    draw(distribution, n, key, purpose, [values](std::int64_t k, double value) { values[k] = static_cast<T>(value); });
}

// Draw delays in seconds, and keep them in steps, rounded to the nearest one.
template <typename T, typename Distribution>
void draw_delays(T* steps, std::int64_t n, const Distribution& distribution, Key key, std::uint32_t purpose, double dt)
{
    draw(distribution, n, key, purpose,
         [steps, dt](std::int64_t k, double value) { steps[k] = static_cast<T>(std::floor(value / dt + 0.5)); });
}

}  // namespace connectivity
}  // namespace cortwin

#endif
