// A team of threads that works through one network: every thread does its own part of each step.
//
// The number of threads is asked of the environment when the first part is worked on (CORTWIN_THREADS, 1 where it is
// not set), so it is no part of the build. Between two parts the threads look for work without sleeping for a while,
// because a step of a network takes microseconds; after that they sleep, so that they cost others nothing.
#ifndef CORTWIN_THREADS_H
#define CORTWIN_THREADS_H

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace cortwin {

const int MOST_THREADS = 64;
const int PATIENCE = 4000;  // looks for work before a thread sleeps: some 50 microseconds

// The number of threads that this run may use.
inline int threads()
{
    static const int number = [] {
        const char* asked = std::getenv("CORTWIN_THREADS");
        return std::min(std::max(asked ? std::atoi(asked) : 1, 1), MOST_THREADS);
    }();
    return number;
}

inline void pause()
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

class Team {
public:
    explicit Team(int number) : unfinished(0), round(0), ending(false), asleep(0)
    {
        for (int thread = 1; thread < number; thread++)
            others.emplace_back([this, thread] { serve(thread); });
    }

    ~Team()
    {
        ending.store(true);
        call();
        for (auto& other : others)
            other.join();
    }

    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    // Let every thread do `work(thread)`, the calling one included; return when all have done.
    template <typename Work> void run(Work& work)
    {
        argument = &work;
        action = [](void* what, int thread) { (*static_cast<Work*>(what))(thread); };
        unfinished.store(static_cast<int>(others.size()), std::memory_order_relaxed);
        call();
        work(0);
        for (int looked = 0; unfinished.load(std::memory_order_acquire) > 0; looked++)
            looked < PATIENCE ? pause() : std::this_thread::yield();
    }

private:
    std::vector<std::thread> others;
    std::atomic<int> unfinished;
    std::atomic<unsigned> round;
    std::atomic<bool> ending;
    std::atomic<int> asleep;
    std::mutex mutex;
    std::condition_variable work_is_there;
    void* argument = nullptr;
    void (*action)(void*, int) = nullptr;

    void call()
    {
        round.fetch_add(1);  // sequentially consistent, like `asleep`: one of the two sees the other's change
        if (asleep.load() > 0) {
            const std::lock_guard<std::mutex> lock(mutex);
            work_is_there.notify_all();
        }
    }

    void serve(int thread)
    {
        unsigned seen = 0;
        while (true) {
            await(seen);
            seen++;
            if (ending.load())
                return;
            action(argument, thread);
            unfinished.fetch_sub(1, std::memory_order_release);
        }
    }

    void await(unsigned seen)
    {
        for (int looked = 0; looked < PATIENCE; looked++) {
            if (round.load(std::memory_order_acquire) != seen)
                return;
            pause();
        }
        std::unique_lock<std::mutex> lock(mutex);
        asleep.fetch_add(1);
        work_is_there.wait(lock, [&] { return round.load() != seen; });
        asleep.fetch_sub(1);
    }
};

inline Team& team()
{
    static Team team(threads());
    return team;
}

// Let every thread of this run do `work(thread)`, for thread = 0 .. threads() - 1.
template <typename Work> void in_parallel(Work&& work)
{
    if (threads() == 1) {
        work(0);
        return;
    }
    team().run(work);
}

}  // namespace cortwin

#endif
