/* Agents, each beside its standby, and coordinators. An agent that dies simply does no more; one that starts
 * again goes on from what stands: the block in the kernel, the promise in etcd. */

proctype Agent(byte s) {
  do
  /* RULE_2: block, end the walreceiver, promise. */
  :: d_step { leader == OLD && !IN(s, blocked) && race[s] < HOLDS -> blocked = WITH(s, blocked) }
  :: d_step { IN(s, blocked) && IN(s, linked) -> linked = WITHOUT(s, linked); CUT(s) }
#ifdef LATE_PROMISE
  :: d_step { leader == OLD && !IN(s, promised) && MAY_PROMISE(s) -> sent_promise = WITH(s, sent_promise) }
  :: d_step { IN(s, sent_promise) && leader == OLD ->
       sent_promise = WITHOUT(s, sent_promise); promised = WITH(s, promised) }
#else
  :: d_step { leader == OLD && !IN(s, promised) && MAY_PROMISE(s) -> promised = WITH(s, promised) }
#endif

  /* RULE_7: withdraw, then unblock. */
  :: d_step { IN(s, blocked) && !IN(s, cleared) && MAY_WITHDRAW ->
       if :: IN(s, promised) -> promised = WITHOUT(s, promised); promise_changed(s) :: else fi;
       cleared = WITH(s, cleared) }
  :: d_step { IN(s, cleared) -> cleared = WITHOUT(s, cleared); blocked = WITHOUT(s, blocked) }
#ifdef NO_RULE_7_ORDER
  :: d_step { IN(s, blocked) && MAY_WITHDRAW -> cleared = WITHOUT(s, cleared); blocked = WITHOUT(s, blocked) }
#endif

  /* RULE_8: another leads. */
  :: d_step { IN(s, blocked) && MAY_LIFT(s) ->
       if :: IN(s, promised) -> promised = WITHOUT(s, promised); promise_changed(s) :: else fi;
       cleared = WITHOUT(s, cleared); blocked = WITHOUT(s, blocked) }

#ifdef AGENTS_DIE
  /* RULE_9: the promise's lease runs out, later the block's timer. */
  :: d_step { IN(s, promised) -> promised = WITHOUT(s, promised); promise_changed(s) }
  :: d_step { IN(s, blocked) && TIMER_FIRES(s) -> blocked = WITHOUT(s, blocked); cleared = WITHOUT(s, cleared) }
#endif
  od
}

proctype Coordinator(byte c) {
  do
  :: d_step { round[c] == IDLE && leader == OLD && MAY_OPEN -> round[c] = OPEN }
  :: d_step { round[c] == OPEN && leader == OLD && ENOUGH(promised) && NONE_AHEAD(promised & voters) ->
       round[c] = COUNTED; counted[c] = promised & voters }
  /* RULE_5: the transaction, at any time after the count. */
  :: d_step { round[c] == COUNTED && GUARD_TIME_OVER ->
       assert(leader <= OLD);
       VACANT_BY(1);
#ifndef NO_RULE_5_REWRITE
       sync_changed();
#endif
#ifdef NO_RULE_5_ORDER
       torn = 1;
#endif
#if REVOKE == 1 || REVOKE == 2
       revoking = WITH(c, revoking);
#endif
       counted[c] = 0; round[c] = OPEN }
#if REVOKE == 3
  :: d_step { lease && leader > OLD && revoking == 0 -> revoking = WITH(c, revoking) }
#endif
#if REVOKE
  /* RULE_6: the revocation arrives at any time; it compares nothing. A lease that ended takes it along. */
  :: d_step { IN(c, revoking) -> lease_ends() }
#endif
#ifdef NO_RULE_6_AFTER
  :: d_step { round[c] == COUNTED -> lease_ends() }
#endif
  od
}
