/* Agents, each beside its standby, and coordinators. An agent that dies simply does no more; one that starts again
 * goes on from what stands: the block in the kernel, the promise in etcd. */

/* CALM=3: the agents never come back. */
#if CALM == 3
#define ACTS STORM
#else
#define ACTS (1)
#endif

inline promise_deleted(s) {
  if :: IN(s, promised) -> promised = WITHOUT(s, promised); promise_changed(s) :: else fi
}

proctype Agent(byte s) {
  do
  /* RULE_2: block, end the walreceiver, promise. */
  :: d_step { STORM && leader == OLD && !IN(s, blocked) && race[s] < HOLDS ->
       TELL("agent %d: blocks\n", s + 1); blocked = WITH(s, blocked) }
  :: d_step { STORM && IN(s, blocked) && IN(s, linked) ->
       TELL("agent %d: ends the walreceiver\n", s + 1); linked = WITHOUT(s, linked); CUT(s) }
#ifdef LATE_PROMISE
  /* What no rule says: a put that its agent gave up arrives late. */
  :: d_step { STORM && leader == OLD && !IN(s, promised) && MAY_PROMISE(s) ->
       TELL("agent %d: sends its promise\n", s + 1); sent_promise = WITH(s, sent_promise) }
  :: d_step { STORM && IN(s, sent_promise) && leader == OLD ->
       TELL("etcd: the promise of s%d arrives\n", s + 1);
       sent_promise = WITHOUT(s, sent_promise); promised = WITH(s, promised) }
#else
  :: d_step { STORM && leader == OLD && !IN(s, promised) && MAY_PROMISE(s) ->
       TELL("agent %d: promises\n", s + 1); promised = WITH(s, promised) }
#endif

  /* RULE_7: withdraw, then unblock. A key that this protocol put into /failover goes with the promise. */
  :: d_step { ACTS && IN(s, blocked) && !IN(s, cleared) && MAY_WITHDRAW ->
       TELL("agent %d: withdraws\n", s + 1);
       promise_deleted(s); cleared = WITH(s, cleared);
#if HANDOVER == 2
       wanted = 0
#endif
     }
  :: d_step { ACTS && IN(s, cleared) ->
       TELL("agent %d: unblocks\n", s + 1); cleared = WITHOUT(s, cleared); blocked = WITHOUT(s, blocked) }
#ifdef NO_RULE_7_ORDER
  :: d_step { IN(s, blocked) && MAY_WITHDRAW ->
       TELL("agent %d: unblocks, its promise stands\n", s + 1);
       cleared = WITHOUT(s, cleared); blocked = WITHOUT(s, blocked) }
#endif

  /* RULE_8: another leads. */
  :: d_step { ACTS && IN(s, blocked) && MAY_LIFT(s) ->
       TELL("agent %d: lifts its fence\n", s + 1);
       promise_deleted(s); cleared = WITHOUT(s, cleared); blocked = WITHOUT(s, blocked) }

#ifdef AGENTS_DIE
  /* RULE_9: the promise's lease runs out, later the timer of the block. */
  :: d_step { IN(s, promised) -> TELL("etcd: the promise of s%d runs out\n", s + 1); promise_deleted(s) }
  :: d_step { IN(s, blocked) && TIMER_FIRES(s) ->
       TELL("s%d: the timer lifts the block\n", s + 1);
       blocked = WITHOUT(s, blocked); cleared = WITHOUT(s, cleared) }
#endif
  od
}

/* What goes with a release in one transaction; and a revocation that is sent after it. */
inline after_release(c) {
#ifndef NO_RULE_5_REWRITE
  sync_changed();
#endif
#ifdef FLOOR
  no_floor = 0; grown = 0;
#endif
#ifdef NO_RULE_5_ORDER
  torn = 1;
#endif
#if REVOKE == 1 || REVOKE == 2
  revoking = WITH(c, revoking);
#endif
  counted[c] = 0; heirs[c] = 0; round[c] = OPEN
}

#define HAND_OVER(s) \
  :: d_step { STORM && round[c] == COUNTED && IN(s, heirs[c]) && GUARD_TIME_OVER -> \
       TELL("coordinator %d: hands the key over to s%d\n", c + 1, s + 1); \
       assert(leader <= OLD); \
       SAYS_FLOOR(c); VACANT_BY(1); KEY_TAKEN_BY(STANDBY(s)); race_over(s); race[s] = HOLDS; \
       after_release(c) }

proctype Coordinator(byte c) {
  do
  :: d_step { STORM && round[c] == IDLE && leader == OLD && MAY_OPEN ->
       TELL("coordinator %d: opens a round, V = set %d, quorum %d\n", c + 1, voters, quorum); round[c] = OPEN }
  :: d_step { STORM && round[c] == OPEN && leader == OLD && BRAKES_OFF && ENOUGH(promised) &&
       NONE_AHEAD(promised & voters) && FLOOR_KEPT(promised & voters) ->
       TELL("coordinator %d: counts the promises of set %d\n", c + 1, promised & voters);
       round[c] = COUNTED; counted[c] = promised & voters; heirs[c] = BEST_OF(counted[c]) & ~astray }
  /* RULE_5: the transaction, at any time after the count. A coordinator knows its own new revision of /sync. */
  :: d_step { STORM && round[c] == COUNTED && GUARD_TIME_OVER ->
       TELL("coordinator %d: releases\n", c + 1);
       assert(leader <= OLD);
#if HANDOVER
       wanted = (IN(0, counted[c]) && (!IN(1, counted[c]) || position[0] >= position[1]) -> 1 : 2);
#endif
       SAYS_FLOOR(c); VACANT_BY(1);
       after_release(c) }
  /* RULE_5: or, by the same transaction, it gives the key to a member that was ahead of or level with all. */
  HAND_OVER(0) HAND_OVER(1)
#if STANDBYS == 3
  HAND_OVER(2)
#endif
#if REVOKE == 3
  :: d_step { lease && leader > OLD && promoted && revoking == 0 -> revoking = WITH(c, revoking) }
#elif REVOKE == 4
  :: d_step { round[c] == COUNTED && lease && revoking == 0 -> revoking = WITH(c, revoking) }
#endif
#if REVOKE
  /* RULE_6: the revocation arrives at any time; it compares nothing. A lease that ended takes it along. */
  :: d_step { IN(c, revoking) -> TELL("etcd: the primary's lease is revoked\n"); lease_ends() }
#endif
#if HANDOVER == 2
  :: d_step { wanted != 0 -> TELL("etcd: /failover runs out\n"); wanted = 0 }
#endif
  od
}
