// libidem for C++17: what idem.h has, let go of by itself. Header-only; link libidem.
//
// Nothing here throws, unless IDEM_EXCEPTIONS is defined: then what is an error in C (a negative status) is
// thrown as idem::error. Ordinary answers (stale, too late, timed out) are never thrown.
//
//   auto engine = idem::engine::open();
//   auto outcome = engine.claim(idem::claim(idem::key("customer-7", "charge-1001")));
//   if (outcome.kind() == IDEM_IN_FLIGHT) outcome = outcome.waiter().wait();
//   if (outcome.kind() == IDEM_EXECUTE) outcome.lease().complete(charge_the_card());
//   else if (outcome.kind() == IDEM_REPLAY) reply(outcome.response().view());
#ifndef IDEM_HPP
#define IDEM_HPP

#include <idem.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#ifdef IDEM_EXCEPTIONS
#include <stdexcept>
#endif

namespace idem {

/// Bytes that somebody else has.
class view {
  public:
    constexpr view() noexcept = default;
    view(const void *data, std::size_t size) noexcept
        : data_(static_cast<const std::uint8_t *>(data)), size_(size) {}
    view(std::string_view text) noexcept : view(text.data(), text.size()) {}
    /// Text, to its NUL.
    view(const char *text) noexcept : view(std::string_view(text)) {}
    /// A contiguous container of bytes.
    template <class C, class = decltype(std::declval<const C &>().data()),
              class = std::enable_if_t<sizeof(*std::declval<const C &>().data()) == 1>>
    view(const C &bytes) noexcept : view(bytes.data(), bytes.size()) {}

    constexpr const std::uint8_t *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr const std::uint8_t *begin() const noexcept { return data_; }
    constexpr const std::uint8_t *end() const noexcept { return data_ + size_; }
    std::string_view text() const noexcept {
        return {reinterpret_cast<const char *>(data_), size_};
    }
    idem_bytes_t c() const noexcept { return idem_bytes(data_, size_); }

  private:
    const std::uint8_t *data_ = nullptr;
    std::size_t size_ = 0;
};

#ifdef IDEM_EXCEPTIONS
/// A negative status.
class error : public std::runtime_error {
  public:
    explicit error(idem_status_t status)
        : std::runtime_error(idem_status_name(status)), status_(status) {}
    idem_status_t status() const noexcept { return status_; }

  private:
    idem_status_t status_;
};
#endif

namespace detail {
inline idem_status_t checked(idem_status_t status) {
#ifdef IDEM_EXCEPTIONS
    if (status < 0)
        throw error(status);
#endif
    return status;
}

/// Frees an object by the function of its type.
template <class T, idem_status_t (*Free)(T *)> struct deleter {
    void operator()(T *object) const noexcept { Free(object); }
};

inline std::uint64_t millis(std::chrono::milliseconds time) noexcept {
    return time.count() <= 0 ? 0 : static_cast<std::uint64_t>(time.count());
}
} // namespace detail

/// As long as it takes.
inline constexpr std::chrono::milliseconds forever{std::chrono::milliseconds::max()};

/// A key. It has a copy of its bytes.
class key {
  public:
    /// For one tenant, user or account.
    key(view scope, view bytes)
        : scope_(scope.text()), bytes_(bytes.text()),
          raw_(idem_key_of(nullptr, 0, nullptr, 0)) {}
    /// One that is made otherwise: raw, or of the listing. What it points to is the caller's.
    explicit key(const idem_key_t &raw) : raw_(raw) {}
    /// The same for everybody.
    static key global(view bytes) {
        key made("", bytes);
        made.raw_.scope_kind = IDEM_SCOPE_NONE;
        return made;
    }

    /// As C has it, for as long as the key is where it is.
    idem_key_t c() const noexcept {
        idem_key_t raw = raw_;
        if (raw.kind == IDEM_KEY_BYTES && raw.key.data == nullptr) {
            raw.scope = idem_bytes(scope_.data(), scope_.size());
            raw.key = idem_bytes(bytes_.data(), bytes_.size());
        }
        return raw;
    }

  private:
    std::string scope_, bytes_;
    idem_key_t raw_;
};

/// A claim of a key; `options` are the fields of idem_claim_t but its key, as idem_claim_init leaves them.
class claim {
  public:
    explicit claim(idem::key key) : options(idem_claim_init(key.c())), key_(std::move(key)) {}

    /// What the request says (idem_fingerprint_http and its like make it): another one under the same key is
    /// a mismatch.
    claim &fingerprint(const std::array<std::uint8_t, 16> &bits) noexcept {
        idem_claim_fingerprint(&options, bits.data());
        return *this;
    }

    /// As C has it, for as long as the claim is where it is.
    idem_claim_t c() const noexcept {
        idem_claim_t raw = options;
        raw.key = key_.c();
        return raw;
    }

    idem_claim_t options;

  private:
    idem::key key_;
};

/// A response, held; copies are further holds.
class response {
  public:
    response() noexcept : raw_{} {}
    /// Takes over one hold.
    explicit response(const idem_response_t &raw) noexcept : raw_(raw) {}
    response(const response &other) noexcept : raw_{} {
        if (other)
            idem_response_retain(&other.raw_, &raw_);
    }
    response(response &&other) noexcept : raw_(std::exchange(other.raw_, {})) {}
    response &operator=(response other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ~response() {
        if (*this)
            idem_response_release(&raw_);
    }

    explicit operator bool() const noexcept { return raw_.opaque[0] != 0; }
    /// Its bytes, for as long as it is held.
    idem::view view() const noexcept { return {raw_.data, raw_.len}; }

  private:
    idem_response_t raw_;
};

/// A lease, which is abandoned if it is not ended. The engine must outlive it.
class lease {
  public:
    lease() noexcept : engine_(nullptr), raw_{} {}
    lease(const idem_engine_t *engine, const idem_lease_t &raw) noexcept
        : engine_(engine), raw_(raw) {}
    lease(lease &&other) noexcept
        : engine_(std::exchange(other.engine_, nullptr)), raw_(other.raw_) {}
    lease &operator=(lease &&other) noexcept {
        std::swap(engine_, other.engine_);
        std::swap(raw_, other.raw_);
        return *this;
    }
    lease(const lease &) = delete;
    ~lease() {
        if (engine_)
            idem_abandon(engine_, raw_);
    }

    explicit operator bool() const noexcept { return engine_ != nullptr; }

    /// See idem_complete. IDEM_STALE: the lease was over.
    idem_status_t complete(idem::view bytes, std::uint64_t retention_ms = 0,
                           std::uint32_t *completion = nullptr) {
        return end([&](auto *engine) {
            return idem_complete(engine, raw_, bytes.c(), retention_ms, completion);
        });
    }

    /// The bytes of a container that is moved in, and stays where it is: not copied.
    template <class C> idem_status_t complete_owned(C &&bytes, std::uint64_t retention_ms = 0) {
        using owned = std::decay_t<C>;
        auto kept = std::make_unique<owned>(std::forward<C>(bytes));
        const idem::view view(*kept);
        return end([&](auto *engine) {
            const idem_status_t status = idem_complete_owned(
                engine, raw_, view.c(), [](void *user) { delete static_cast<owned *>(user); },
                kept.get(), retention_ms, nullptr);
            // Otherwise it was not consumed.
            if (status >= 0 || status == IDEM_ERR_WRONG_ENGINE)
                kept.release();
            return status;
        });
    }

    idem_status_t fail(idem::view error, std::uint64_t retention_ms = 0) {
        return end([&](auto *engine) {
            return idem_fail(engine, raw_, error.c(), retention_ms, nullptr);
        });
    }

    idem_status_t cancel(idem_on_end_t on_end = IDEM_ON_END_DEFAULT, std::uint32_t reason = 0) {
        return end([&](auto *engine) { return idem_cancel(engine, raw_, on_end, reason); });
    }

    idem_status_t halt(std::uint32_t reason = 0) {
        return end([&](auto *engine) { return idem_halt(engine, raw_, reason); });
    }

    idem_status_t renew(std::chrono::milliseconds time) {
        return detail::checked(idem_renew(engine_, raw_, detail::millis(time)));
    }

    /// The plain value, for somebody else to end. It is not abandoned by this.
    idem_lease_t release() noexcept {
        engine_ = nullptr;
        return raw_;
    }

  private:
    /// The lease is over by this, unless the call was wrong.
    template <class F> idem_status_t end(F &&act) {
        const idem_status_t status = act(engine_);
        if (status >= 0)
            engine_ = nullptr;
        return detail::checked(status);
    }

    const idem_engine_t *engine_;
    idem_lease_t raw_;
};

class outcome;
class queue;

/// A wait that is under way, to cancel it by; freed, it goes on.
class pending {
  public:
    explicit pending(idem_pending_t *raw) noexcept : raw_(raw) {}

    /// Whether it was cancelled; otherwise it has come.
    bool cancel() noexcept { return idem_wait_cancel(raw_.release()) == IDEM_OK; }

  private:
    std::unique_ptr<idem_pending_t, detail::deleter<idem_pending_t, idem_wait_free>> raw_;
};

/// A place in the queue of those who wait, given back if it is not used.
class waiter {
  public:
    waiter() noexcept : engine_(nullptr) {}
    waiter(const idem_engine_t *engine, idem_waiter_t *raw) noexcept : engine_(engine), raw_(raw) {}

    explicit operator bool() const noexcept { return raw_ != nullptr; }

    /// Blocks, at most for `time`.
    outcome wait(std::chrono::milliseconds time = forever);

    /// Calls `function` with the outcome, on the thread that brings it about. It must not throw.
    template <class F> pending then(F function);

    /// Ends in the queue, by its tag.
    pending end_in(const queue &queue, std::uint64_t tag);

  private:
    const idem_engine_t *engine_;
    std::unique_ptr<idem_waiter_t, detail::deleter<idem_waiter_t, idem_waiter_free>> raw_;
};

/// What a claim or a wait came to. It has what the C structure has; what is not taken out of it is let go of.
class outcome {
  public:
    outcome(const idem_engine_t *engine, const idem_outcome_t &raw) noexcept
        : raw_(raw), lease_(raw.kind == IDEM_EXECUTE ? idem::lease(engine, raw.lease) : idem::lease()),
          response_(raw.kind == IDEM_REPLAY ? idem::response(raw.response) : idem::response()),
          waiter_(engine, raw.waiter) {}

    idem_outcome_kind_t kind() const noexcept { return static_cast<idem_outcome_kind_t>(raw_.kind); }
    idem::lease &lease() noexcept { return lease_; }
    idem::response &response() noexcept { return response_; }
    idem::waiter &waiter() noexcept { return waiter_; }
    bool is_error() const noexcept { return raw_.is_error != 0; }
    std::uint32_t reason() const noexcept { return raw_.reason; }
    idem_state_t state() const noexcept { return static_cast<idem_state_t>(raw_.state); }
    idem_limit_t limit() const noexcept { return static_cast<idem_limit_t>(raw_.limit); }
    idem_origin_t origin() const noexcept { return static_cast<idem_origin_t>(raw_.origin); }
    std::uint32_t attempt() const noexcept { return raw_.attempt; }
    const idem_info_t &info() const noexcept { return raw_.info; }

  private:
    idem_outcome_t raw_;
    idem::lease lease_;
    idem::response response_;
    idem::waiter waiter_;
};

/// A completion queue. The engine whose waits end in it is named, since leases come out of it.
class queue {
  public:
    explicit queue(const idem_engine_t *engine) : engine_(engine) {
        idem_queue_t *raw = nullptr;
        detail::checked(idem_queue_new(&raw));
        raw_.reset(raw);
    }

    explicit operator bool() const noexcept { return raw_ != nullptr; }

    int descriptor() const noexcept {
        int fd = -1;
        idem_queue_fd(raw_.get(), &fd);
        return fd;
    }

    /// Calls `each(tag, outcome)` for what has ended, at most `Most` waits; returns how many.
    template <std::size_t Most = 64, class F> std::size_t poll(F &&each) {
        std::array<idem_ended_t, Most> ended;
        std::size_t taken = 0;
        if (detail::checked(idem_poll(raw_.get(), ended.data(), Most, &taken)) != IDEM_OK)
            return 0;
        // All of them first: if `each` throws, the others are let go of.
        std::vector<std::pair<std::uint64_t, outcome>> outcomes;
        outcomes.reserve(taken);
        for (std::size_t i = 0; i < taken; i++)
            outcomes.emplace_back(ended[i].tag, outcome(engine_, ended[i].outcome));
        for (auto &[tag, end] : outcomes)
            each(tag, std::move(end));
        return taken;
    }

    idem_queue_t *c() const noexcept { return raw_.get(); }

  private:
    const idem_engine_t *engine_;
    std::unique_ptr<idem_queue_t, detail::deleter<idem_queue_t, idem_queue_free>> raw_;
};

/// An engine.
class engine {
  public:
    /// With every option at its default, or as `config` says. Without exceptions it is false if that failed.
    static engine open(const idem_config_t *config = nullptr) {
        idem_engine_t *raw = nullptr;
        detail::checked(idem_engine_new(config, &raw));
        return engine(raw);
    }

    explicit operator bool() const noexcept { return raw_ != nullptr; }

    /// What is wrong with a claim is in `status`, if that is not null; the outcome is then of no kind.
    outcome claim(const idem::claim &claim, idem_status_t *status = nullptr) const {
        const idem_claim_t asked = claim.c();
        idem_outcome_t raw{};
        const idem_status_t came = detail::checked(idem_claim(c(), &asked, &raw));
        if (status)
            *status = came;
        return {c(), raw};
    }

    /// Many claims in one call; none, if one of them is wrong.
    std::vector<outcome> claim(const std::vector<idem::claim> &claims,
                               idem_status_t *status = nullptr) const {
        std::vector<idem_claim_t> asked;
        asked.reserve(claims.size());
        for (const auto &one : claims)
            asked.push_back(one.c());
        std::vector<idem_outcome_t> raw(claims.size());
        const idem_status_t came =
            detail::checked(idem_claim_batch(c(), asked.data(), asked.size(), raw.data()));
        if (status)
            *status = came;
        std::vector<outcome> outcomes;
        if (came == IDEM_OK)
            for (const auto &one : raw)
                outcomes.emplace_back(c(), one);
        return outcomes;
    }

    /// A lease that was released somewhere.
    idem::lease adopt(const idem_lease_t &raw) const noexcept { return {c(), raw}; }

    idem::queue queue() const { return idem::queue(c()); }

    idem_stats_t stats() const noexcept {
        idem_stats_t stats = idem_stats_init();
        idem_stats(c(), &stats);
        return stats;
    }

    idem_status_t close() { return detail::checked(idem_engine_close(c())); }
    /// IDEM_TIMED_OUT: keys are in flight still.
    idem_status_t drain(std::chrono::milliseconds time) {
        return detail::checked(idem_engine_drain(c(), detail::millis(time)));
    }

    /// For all that idem.h has besides.
    idem_engine_t *c() const noexcept { return raw_.get(); }

  private:
    explicit engine(idem_engine_t *raw) noexcept : raw_(raw) {}

    std::unique_ptr<idem_engine_t, detail::deleter<idem_engine_t, idem_engine_free>> raw_;
};

inline outcome waiter::wait(std::chrono::milliseconds time) {
    idem_outcome_t raw{};
    const std::uint64_t millis = time == forever ? IDEM_FOREVER : detail::millis(time);
    detail::checked(idem_wait(raw_.get(), millis, &raw));
    raw_.release();
    return {engine_, raw};
}

inline pending waiter::end_in(const idem::queue &queue, std::uint64_t tag) {
    idem_pending_t *wait = nullptr;
    detail::checked(idem_wait_in(raw_.get(), queue.c(), tag, &wait));
    raw_.release();
    return pending(wait);
}

template <class F> pending waiter::then(F function) {
    struct call {
        const idem_engine_t *engine;
        F function;
    };
    auto kept = std::unique_ptr<call>(new call{engine_, std::move(function)});
    idem_pending_t *wait = nullptr;
    const idem_status_t status = idem_wait_callback(
        raw_.get(),
        [](void *user, const idem_outcome_t *raw) {
            auto *called = static_cast<call *>(user);
            called->function(outcome(called->engine, *raw));
        },
        kept.get(), [](void *user) { delete static_cast<call *>(user); }, &wait);
    if (status == IDEM_OK) {
        raw_.release();
        kept.release();
    }
    detail::checked(status);
    return pending(wait);
}

} // namespace idem

#endif
