// Arrays that a program is given when it runs and that are no variables of Brian2: NAME=FILE among its arguments.
#ifndef CORTWIN_RUN_ARGUMENTS_H
#define CORTWIN_RUN_ARGUMENTS_H

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace cortwin {

// The checksum that `cortwin.cpp.checks` compares: each number's bits times an odd number of its place, added up.
template <typename T> std::uint64_t checksum(const std::vector<T>& values)
{
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < values.size(); k++) {
        std::uint64_t word = 0;
        std::memcpy(&word, &values[k], sizeof(T));
        sum += word * (2 * k + 1);
    }
    return sum;
}

// Read an array, strike it from the arguments, and note in the file `read_back` what was read.
template <typename T>
std::vector<T> take(std::vector<std::string>& arguments, const std::string& name, const std::string& read_back)
{
    for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
        if (argument->compare(0, name.size() + 1, name + "=") != 0)
            continue;
        std::ifstream file(argument->substr(name.size() + 1), std::ios::binary | std::ios::ate);
        const std::streamoff size = file.tellg();
        std::vector<T> values(size > 0 ? size / sizeof(T) : 0);
        file.seekg(0);
        file.read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(T));
        if (!file || size % static_cast<std::streamoff>(sizeof(T)) != 0)
            break;
        arguments.erase(argument);
        std::ofstream(read_back, std::ios::app) << name << " " << checksum(values) << std::endl;
        return values;
    }
    std::cerr << "Error: the array " << name << " could not be read" << std::endl;
    std::exit(1);
}

}  // namespace cortwin

#endif
