/*
 * libidem: has this request been seen, and what became of it?
 *
 * At most one live lease per key: whoever gets IDEM_EXECUTE holds it and does the work; everybody else
 * waits for the result, gets it replayed, or is told why not.
 *
 * WHAT IS PROMISED
 *   While the lease of an IDEM_EXECUTE lasts, no other claim or waiter of its key gets IDEM_EXECUTE.
 *   Work may run again after a cancel, and after a lease that ran out or was abandoned, unless its policy
 *   is IDEM_ON_END_HALT. An owner whose lease was taken over cannot overwrite anything: it is told
 *   IDEM_STALE. All this within one process, and until it ends: nothing is written to disk or shared.
 *
 * EXAMPLE
 *   idem_engine_t *engine;
 *   if (idem_engine_new(NULL, &engine) != IDEM_OK) return 1;
 *   idem_claim_t claim = idem_claim_init(idem_key_of("customer-7", 10, "charge-1001", 11));
 *   idem_outcome_t outcome;
 *   if (idem_claim(engine, &claim, &outcome) != IDEM_OK) return 1;
 *   if (outcome.kind == IDEM_IN_FLIGHT)          // Somebody else is at it: wait for the result.
 *       idem_wait(outcome.waiter, IDEM_FOREVER, &outcome);
 *   switch (outcome.kind) {
 *   case IDEM_EXECUTE:                           // Ours alone: do it, and say what came of it.
 *       charge_the_card();
 *       idem_complete(engine, outcome.lease, idem_bytes("charged", 7), 0, NULL);
 *       break;
 *   case IDEM_REPLAY:                            // It was done, here or elsewhere (or failed: is_error).
 *       reply(outcome.response.data, outcome.response.len);
 *       idem_response_release(&outcome.response);
 *       break;
 *   case IDEM_DONE:      reply_done();     break; // Done as well, without a response that was kept.
 *   case IDEM_HALTED:    reply_unknown();  break; // Nobody knows whether it was done; do not do it again.
 *   case IDEM_MISMATCH:  reply_misused();  break; // The same key for another request.
 *   default:             reply_later();           // Cancelled, no room, closing.
 *   }
 *   idem_engine_free(engine);
 *
 * HTTP
 *   A gate has a policy, which is text, and decides what becomes of requests; the program reads and sends. In turn:
 *   idem_http_admit the head; with IDEM_HTTP_KEYED, idem_http_body the body, idem_http_claim; with
 *   IDEM_HTTP_WAIT, wait, and idem_http_waited; with IDEM_HTTP_EXECUTE, handle it, idem_http_finish, and send the
 *   response; with IDEM_HTTP_ANSWER, send that. In the end idem_http_request_free.
 *
 * ENDING
 *   idem_engine_close_within(engine, ms); idem_engine_drain(engine, IDEM_FOREVER); then join all threads that
 *   may still call, those that wait and those whose work was cut short as well; then free the queues,
 *   waiters, namespaces, gates and requests, and the engine last.
 *
 * THREADS
 *   Every function may be called from any thread, and from several at a time with the same engine, queue
 *   or namespace; what says "Threads: one at a time" is the exception. Functions block only where
 *   they say so. Callbacks are called with no lock held, on the thread that brings them about; they may call
 *   libidem (but the log function must not), and should be short. They must not throw or longjmp out, nor end
 *   their thread: that is undefined. Any call that acts on a key may end a lease that ran out, or pass on a
 *   hand-over, and so run the callbacks of others: hold no lock across it that a callback takes. What a
 *   callback brings about for others of its thread, callbacks, bells and destroy functions, has its turn after
 *   it; hooks are called at once.
 *
 * OWNERSHIP
 *   borrowed      for the call; until X where it says so. libidem keeps no pointer to it afterwards.
 *   the caller's  it is freed, released or consumed by the function that is named there.
 *   consumed      by the call: it must not be used any more, unless the status returned says that it was
 *                 not consumed.
 *   A lease (idem_lease_t) is a plain value and needs nothing; a response is held and is to be released.
 *
 * ERRORS
 *   Every function that can fail returns an idem_status_t: IDEM_OK; a positive status is an ordinary answer
 *   (IDEM_STALE, IDEM_TIMED_OUT, ...); a negative one an error, and then nothing was done, nothing
 *   consumed unless it says so, and no result was written (but IDEM_ERR_PANIC says that a call broke off,
 *   IDEM_ERR_BUFFER how long a buffer is needed, and idem_http_policy what is wrong). What a claim or a wait
 *   came to is no status but an outcome. idem_status_name has the name of a status; idem_log_to a function
 *   that is told more. Null, misaligned and over-long arguments are refused; a pointer to what was freed
 *   cannot be seen.
 *
 * STRUCTURES
 *   What has a `struct_size` is zeroed and given its size (idem_config_init and its like do so): a program
 *   goes on to work with later libraries, which know more fields, and with earlier ones for as long as it
 *   leaves those fields zero. Other structures keep their size; only what they reserve may get a meaning.
 *
 * CAVEATS
 *   fork: a child must not use, free, or wait on anything of its parent's; an engine opened after the fork is
 *   fine. Signal handlers: call nothing here. dlclose: free all engines, clocks and queues first, and
 *   release all responses; a callback that may still come keeps the library needed. Threads that end: call
 *   nothing of queues, namespaces or engines from destructors of thread-local data, it may fail with
 *   IDEM_ERR_PANIC. pthread_cancel: not of a thread that may be inside libidem, the process would be aborted;
 *   disable it across calls. Memory: a small allocation that fails aborts the process.
 */
