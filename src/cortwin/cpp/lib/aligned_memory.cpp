// Arrays begin where a cache line begins, so that no vector of the processor lies across two of them.
// These operators take the place of the library's in the whole program.
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

const std::size_t LINE_OF_CACHE = 64;  // bytes
const std::size_t WORTH_ALIGNING = 512;

void* allocate(std::size_t size)
{
    void* found = nullptr;
    if (size < WORTH_ALIGNING)
        found = std::malloc(size > 0 ? size : 1);
    else
        found = std::aligned_alloc(LINE_OF_CACHE, (size + LINE_OF_CACHE - 1) / LINE_OF_CACHE * LINE_OF_CACHE);
    if (found == nullptr)
        throw std::bad_alloc();
    return found;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
