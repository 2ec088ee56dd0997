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
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

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

// A part that its thread has not begun when the calling thread is done with its own is done by the calling thread, so
// that a thread which got no processor does not hold up the others.
class Team {
public:
    explicit Team(int number) : claims(number), processors(allowed())
    {
        for (int thread = 1; thread < number; thread++)
            others.emplace_back([this, thread] { serve(thread); });
        spread();
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

    // Have `work(part)` done for each part, and return when all are done.
    template <typename Work> void run(Work& work)
    {
        argument = &work;
        action = [](void* what, int part) { (*static_cast<Work*>(what))(part); };
        const int parts = static_cast<int>(claims.size());
        unfinished.store(parts - 1, std::memory_order_relaxed);
        const unsigned now = call();
        work(0);
        for (int part = 1; part < parts; part++)
            do_if_unclaimed(part, now);
        for (int looked = 0; unfinished.load(std::memory_order_acquire) > 0; looked++)
            looked < PATIENCE ? pause() : std::this_thread::yield();
    }

    // Give each thread processors of its own, the calling one that on which it runs: two that wait for each other are
    // often left on one, while another one has nothing to do.
    void spread()
    {
        const int n = static_cast<int>(processors.size()), number = static_cast<int>(claims.size());
        const auto here = std::find(processors.begin(), processors.end(), current());
        const int first = here == processors.end() ? 0 : static_cast<int>(here - processors.begin());
        for (int thread = 0; thread < number && number <= n; thread++) {
            std::vector<int> own;
            for (int k = n * thread / number; k < n * (thread + 1) / number; k++)
                own.push_back(processors[(first + k) % n]);
            keep(thread, own);
        }
    }

    // Let the calling thread run anywhere again.
    void release() { keep(0, processors); }

private:
#if defined(__linux__)
    static std::vector<int> allowed()
    {
        std::vector<int> found;
        cpu_set_t set;
        CPU_ZERO(&set);
        if (pthread_getaffinity_np(pthread_self(), sizeof(set), &set) == 0)
            for (int k = 0; k < CPU_SETSIZE; k++)
                if (CPU_ISSET(k, &set))
                    found.push_back(k);
        return found;
    }
    static int current() { return sched_getcpu(); }
    void keep(int thread, const std::vector<int>& on)
    {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (const int k : on)
            CPU_SET(k, &set);
        if (!on.empty())
            pthread_setaffinity_np(thread == 0 ? pthread_self() : others[thread - 1].native_handle(), sizeof(set), &set);
    }
#else
    static std::vector<int> allowed() { return {}; }
    static int current() { return 0; }
    void keep(int, const std::vector<int>&) {}
#endif

    struct alignas(64) Claim {
        std::atomic<unsigned> round{0};  // the last one in which somebody took this part
    };

    std::vector<Claim> claims;           // (part)
    const std::vector<int> processors;  // on which the process may run
    std::vector<std::thread> others;
    std::atomic<int> unfinished{0};
    std::atomic<unsigned> round{0};
    std::atomic<bool> ending{false};
    std::atomic<int> asleep{0};
    std::mutex mutex;
    std::condition_variable work_is_there;
    void* argument = nullptr;
    void (*action)(void*, int) = nullptr;

    unsigned call()
    {
        const unsigned now = round.fetch_add(1) + 1;  // sequentially consistent, like `asleep`: one of the two
        if (asleep.load() > 0) {                      // threads sees what the other has written
            const std::lock_guard<std::mutex> lock(mutex);
            work_is_there.notify_all();
        }
        return now;
    }

    void do_if_unclaimed(int part, unsigned now)
    {
        unsigned before = now - 1;
        if (!claims[part].round.compare_exchange_strong(before, now))
            return;
        action(argument, part);
        unfinished.fetch_sub(1, std::memory_order_release);
    }

    void serve(int part)
    {
        unsigned seen = 0;
        while (true) {
            seen = await(seen);
            if (ending.load())
                return;
            do_if_unclaimed(part, seen);
        }
    }

    // Wait for a round that was not seen yet.
    unsigned await(unsigned seen)
    {
        for (int looked = 0; looked < PATIENCE; looked++) {
            if (round.load(std::memory_order_acquire) != seen)
                return round.load();
            pause();
        }
        std::unique_lock<std::mutex> lock(mutex);
        asleep.fetch_add(1);
        work_is_there.wait(lock, [&] { return round.load() != seen; });
        asleep.fetch_sub(1);
        return round.load();
    }
};

inline Team& team()
{
    static Team team(threads());
    return team;
}

// Have the threads of this run do `work(part)`, for part = 0 .. threads() - 1.
template <typename Work> void in_parallel(Work&& work)
{
    if (threads() == 1) {
        work(0);
        return;
    }
    team().run(work);
}

// Have n things done in ranges, `work(begin, end)`, each by one thread; by all threads where the work is large.
template <typename Work> void in_ranges(std::int64_t n, bool large, Work&& work)
{
    if (!large || threads() == 1) {
        work(std::int64_t(0), n);
        return;
    }
    in_parallel([&](int part) { work(n * part / threads(), n * (part + 1) / threads()); });
}

const int LARGE = 8192;  // things from which on they are divided among threads
const int PAGE = 4096;   // bytes, or a part of a page

// Make an array longer. The system clears memory when it is touched first, which takes longer than to fill it: all
// threads touch it.
template <typename T> void lengthen(std::vector<T>& values, std::size_t n)
{
    const std::size_t before = values.size();
    values.reserve(n);
    if (n > before) {
        volatile char* begin = reinterpret_cast<char*>(values.data() + before);
        const std::int64_t pages = (n - before) * sizeof(T) / PAGE;
        in_ranges(pages, pages >= LARGE / 16, [begin](std::int64_t first, std::int64_t last) {
            for (std::int64_t page = first; page < last; page++)
                begin[page * PAGE] = 0;
        });
    }
    values.resize(n);
}

// What each thread keeps a copy of, so that none has to fetch what another one writes in every step. The first thread's
// is always up to date, the others' when all take part in the steps.
class Replicated {
public:
    Replicated() { all().push_back(this); }
    virtual ~Replicated() { all().erase(std::find(all().begin(), all().end(), this)); }
    Replicated(const Replicated&) = delete;
    Replicated& operator=(const Replicated&) = delete;

    virtual void replicate() = 0;  // the first thread's copy to the others
    static std::vector<Replicated*>& all()
    {
        static std::vector<Replicated*> them;
        return them;
    }
};

}  // namespace cortwin

#endif
