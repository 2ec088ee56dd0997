#ifndef CORTWIN_PRODUCT_H
#define CORTWIN_PRODUCT_H

// The product of a batch of vectors and one matrix, y = x W, all arrays row by row:
//
//   y[k, j] = sum over i = 0, 1, ..., rows - 1 of x[k, i] w[i, j].
//
// Every sum starts from zero and takes one product after the other in the order of i, as a loop over synapses sorted by
// source does. So the numbers do not depend on the size of the batch, and equal that loop's to the bit.
//
// A large batch goes through tiles of y that stay in registers, and columns of some rows of the matrix that stay in the
// first cache (after Goto & van de Geijn 2008, doi:10.1145/1356052.1356053).

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace cortwin {

#if defined(__AVX512F__)
constexpr std::size_t vector_bytes = 64;
constexpr int tile_rows = 8;
#elif defined(__AVX__)
constexpr std::size_t vector_bytes = 32;
constexpr int tile_rows = 4;
#else
constexpr std::size_t vector_bytes = 16;
constexpr int tile_rows = 4;
#endif
constexpr int tile_vectors = 3;            // with tile_rows: as many sums as the registers hold
constexpr std::size_t block_rows = 96;     // of the matrix: 3 vectors of each are 9 KiB, or 18 KiB of the longest
constexpr std::size_t few = 8;             // up to here it pays to read the matrix in its own order
constexpr std::size_t chunk_bytes = 2048;  // of 8 rows: half of the first cache

template <typename real> struct Lanes {
    typedef real vector __attribute__((vector_size(vector_bytes), aligned(alignof(real)), may_alias));
    static constexpr std::size_t count = vector_bytes / sizeof(real);
};

// Have a vector loaded once: else the compiler reads it from memory again for each product, as their second operand, and
// loads take twice as long as the products.
template <typename vector> inline void keep_in_register(vector& value) {
#if defined(__AVX512F__)
    asm("" : "+v"(value));
#elif defined(__x86_64__)
    asm("" : "+x"(value));
#endif
}

// Add x W to a tile of y: `K` vectors of the batch, `V` vectors of columns.
template <typename real, int K, int V>
inline void add_tile(const real* x, std::size_t x_stride, const real* w, std::size_t w_stride, std::size_t rows,
                     real* y, std::size_t y_stride) {
    typedef typename Lanes<real>::vector vector;
    constexpr std::size_t lanes = Lanes<real>::count;
    vector sum[K][V];
    for (int k = 0; k < K; k++)
        for (int v = 0; v < V; v++) sum[k][v] = *reinterpret_cast<const vector*>(y + k * y_stride + v * lanes);
    for (std::size_t i = 0; i < rows; i++) {
        vector row[V];
        for (int v = 0; v < V; v++) row[v] = *reinterpret_cast<const vector*>(w + i * w_stride + v * lanes);
        for (int v = 0; v < V; v++) keep_in_register(row[v]);
        for (int k = 0; k < K; k++)
            for (int v = 0; v < V; v++) sum[k][v] += row[v] * x[k * x_stride + i];
    }
    for (int k = 0; k < K; k++)
        for (int v = 0; v < V; v++) *reinterpret_cast<vector*>(y + k * y_stride + v * lanes) = sum[k][v];
}

// Add x W to `V` vectors of columns of y, for the whole batch. The rows of what comes next are asked for meanwhile, some
// with each tile: they lie far from each other, where the processor does not foresee them.
template <typename real, int V>
inline void add_tiles(const real* x, std::size_t batch, std::size_t x_stride, const real* w, std::size_t w_stride,
                      std::size_t rows, real* y, std::size_t y_stride) {
    constexpr std::size_t width = V * Lanes<real>::count, line = 64 / sizeof(real);
    const std::size_t share = (rows * tile_rows + batch - 1) / batch;
    std::size_t k = 0, next = 0;
    for (; k + tile_rows <= batch; k += tile_rows) {
        for (const std::size_t end = std::min(rows, next + share); next < end; next++)
            for (std::size_t column = width; column < 2 * width + line; column += line)
                __builtin_prefetch(w + next * w_stride + column);
        add_tile<real, tile_rows, V>(x + k * x_stride, x_stride, w, w_stride, rows, y + k * y_stride, y_stride);
    }
    for (; k + 2 <= batch; k += 2)
        add_tile<real, 2, V>(x + k * x_stride, x_stride, w, w_stride, rows, y + k * y_stride, y_stride);
    if (k < batch) add_tile<real, 1, V>(x + k * x_stride, x_stride, w, w_stride, rows, y + k * y_stride, y_stride);
}

// Add x W to up to `V` vectors of columns of y; an edge goes through memory of whole vectors.
template <typename real, int V>
inline void add_columns(const real* x, std::size_t batch, std::size_t x_stride, const real* w, std::size_t w_stride,
                        std::size_t rows, std::size_t columns, std::vector<real>& edge, real* y,
                        std::size_t y_stride) {
    constexpr std::size_t width = V * Lanes<real>::count;
    if (columns >= width) return add_tiles<real, V>(x, batch, x_stride, w, w_stride, rows, y, y_stride);
    edge.assign((rows + batch) * width, real(0));
    real* const sums = edge.data() + rows * width;
    for (std::size_t i = 0; i < rows; i++) std::copy_n(w + i * w_stride, columns, edge.data() + i * width);
    for (std::size_t k = 0; k < batch; k++) std::copy_n(y + k * y_stride, columns, sums + k * width);
    add_tiles<real, V>(x, batch, x_stride, edge.data(), width, rows, sums, width);
    for (std::size_t k = 0; k < batch; k++) std::copy_n(sums + k * width, columns, y + k * y_stride);
}

template <typename real>
inline void add_product_of_many(const real* x, std::size_t batch, const real* w, std::size_t rows, std::size_t columns,
                                real* y) {
    constexpr std::size_t lanes = Lanes<real>::count;
    static thread_local std::vector<real> edge;
    for (std::size_t i = 0; i < rows; i += block_rows) {
        std::size_t j = 0;
        const auto add = [&](auto vectors) {
            constexpr int V = decltype(vectors)::value;
            const std::size_t n = std::min(block_rows, rows - i);
            add_columns<real, V>(x + i, batch, rows, w + i * columns + j, columns, n, columns - j, edge, y + j, columns);
            j += std::min(V * lanes, columns - j);
        };
        while (columns - j > 2 * lanes) add(std::integral_constant<int, 3>());
        if (columns - j > lanes) add(std::integral_constant<int, 2>());
        if (columns > j) add(std::integral_constant<int, 1>());
    }
}

// Add `R` rows of the matrix, times a number each, to y.
template <typename real, int R>
inline void add_rows(const real* __restrict x, const real* __restrict w, std::size_t w_stride, std::size_t columns,
                     real* __restrict y) {
    for (std::size_t j = 0; j < columns; j++) {
        real sum = y[j];
        for (int r = 0; r < R; r++) sum += w[r * w_stride + j] * x[r];
        y[j] = sum;
    }
}

// A small batch goes by while a few rows pass through the first cache: the matrix is read once, in its own order.
template <typename real>
inline void add_product_of_few(const real* x, std::size_t batch, const real* w, std::size_t rows, std::size_t columns,
                               real* y) {
    constexpr int R = 8;
    const std::size_t chunk = batch == 1 ? columns : chunk_bytes / sizeof(real);
    std::size_t i = 0;
    for (; i + R <= rows; i += R)
        for (std::size_t j = 0; j < columns; j += chunk)
            for (std::size_t k = 0; k < batch; k++)
                add_rows<real, R>(x + k * rows + i, w + i * columns + j, columns, std::min(chunk, columns - j),
                                  y + k * columns + j);
    for (; i < rows; i++)
        for (std::size_t k = 0; k < batch; k++)
            add_rows<real, 1>(x + k * rows + i, w + i * columns, columns, columns, y + k * columns);
}

template <typename real>
inline void product(const real* x, std::size_t batch, const real* w, std::size_t rows, std::size_t columns, real* y) {
    std::fill(y, y + batch * columns, real(0));
    if (batch <= few)
        add_product_of_few(x, batch, w, rows, columns, y);
    else
        add_product_of_many(x, batch, w, rows, columns, y);
}

}  // namespace cortwin

#endif
