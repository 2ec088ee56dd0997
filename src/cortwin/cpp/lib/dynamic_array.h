// What Brian2's monitors record, one row a sample: in place of its `brianlib/dynamic_array.h`, of the same interface.
//
// Brian2 keeps a vector of vectors. Here rows lie side by side in blocks that never move, so that a longer record is
// neither copied nor twice in memory.
#ifndef _BRIAN_DYNAMIC_ARRAY_H
#define _BRIAN_DYNAMIC_ARRAY_H

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

template <class T>
class DynamicArray2D {
public:
    int n, m;  // rows, columns

    // A row as Brian2's own code asks for it.
    struct Row {
        T* data;
        int columns;
        bool empty() const { return columns == 0; }
        std::size_t size() const { return columns; }
        T& operator[](std::size_t j) const { return data[j]; }
    };

    DynamicArray2D(int rows = 0, int columns = 0) : n(0), m(0), rows_of_block(1) { resize(rows, columns); }

    void resize(int rows, int columns) {
        if (columns != m) change_width(columns);
        const std::size_t needed = (std::size_t(rows) + rows_of_block - 1) / rows_of_block;
        while (blocks.size() < needed) blocks.emplace_back(new T[rows_of_block * std::size_t(m)]());
        // As Brian2's rows do, one that comes back after the array was shorter holds zeros.
        for (int i = std::max(rows, 0); i < n; i++) std::fill_n(row(i), m, T());
        n = rows;
    }
    void resize() { resize(n, m); }

    T* row(int i) { return blocks[std::size_t(i) / rows_of_block].get() + std::size_t(i) % rows_of_block * m; }
    T& operator()(int i, int j) { return row(i)[j]; }
    Row operator()(int i) { return Row{row(i), m}; }

private:
    static const std::size_t block_bytes = 1 << 20;
    std::size_t rows_of_block;
    std::vector<std::unique_ptr<T[]>> blocks;

    void change_width(int columns) {
        DynamicArray2D<T> wider;
        wider.m = columns;
        wider.rows_of_block = std::max<std::size_t>(1, block_bytes / (sizeof(T) * std::max(columns, 1)));
        wider.resize(n, columns);
        for (int i = 0; i < n; i++) std::copy_n(row(i), std::min(m, columns), wider.row(i));
        blocks.swap(wider.blocks);
        rows_of_block = wider.rows_of_block;
        m = columns;
    }
};

#endif
