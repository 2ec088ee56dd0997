// Draws the synapses of one rule, or the numbers of one distribution, and writes them to its output as they lie in
// memory: what the compiled programs do, with everything that is code there given as an argument.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "connect.h"
#include "distributions.h"

using namespace cortwin;
using namespace cortwin::connectivity;

template <typename T> void write(const std::vector<T>& values)
{
    std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

int main(int argc, char** argv)
{
    const std::string what = argv[1];
    const auto whole = [&](int k) { return std::strtoll(argv[k], nullptr, 10); };
    const auto number = [&](int k) { return std::strtod(argv[k], nullptr); };
    const Key key = {{static_cast<std::uint32_t>(whole(2)), static_cast<std::uint32_t>(whole(3))}};
    if (what == "words") {
        for (int k = 4; k + 3 < argc; k += 4) {
            const Block block = philox(key, whole(k), whole(k + 1), whole(k + 2), whole(k + 3));
            std::fwrite(block.words, sizeof(block.words), 1, stdout);
        }
        return 0;
    }
    if (what == "normal" || what == "uniform" || what == "delay") {
        std::vector<double> values(whole(4));
        std::vector<std::uint16_t> steps(what == "delay" ? whole(4) : 0);
        const std::uint32_t purpose = whole(5);
        if (what == "normal")
            draw_values(values.data(), values.size(), Normal{number(6), number(7), number(8), number(9)}, key, purpose);
        else if (what == "uniform")
            draw_values(values.data(), values.size(), Uniform{number(6), number(7)}, key, purpose);
        else {
            const Normal normal{number(6), number(7), number(8), number(9)};
            draw_delays(steps.data(), steps.size(), normal, key, purpose, number(10));
            write(steps);
            return 0;
        }
        write(values);
        return 0;
    }
    Rows rows;
    Targets targets;
    const Ends ends = {whole(4), whole(5), whole(6) != 0};
    const bool multapses = whole(7) != 0;
    if (what == "AllToAll") all_to_all(rows, targets, ends);
    if (what == "OneToOne") one_to_one(rows, targets, ends);
    if (what == "PairwiseBernoulli") pairwise_bernoulli(rows, targets, ends, number(8), key);
    if (what == "FixedIndegree") fixed_indegree(rows, targets, ends, whole(8), multapses, key);
    if (what == "FixedOutdegree") fixed_outdegree(rows, targets, ends, whole(8), multapses, key);
    if (what == "FixedTotalNumber") fixed_total_number(rows, targets, ends, whole(8), multapses, key);
    repeat(rows, targets, ends, whole(9));
    write(rows.first);
    write(targets);
}
