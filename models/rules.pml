/* The eleven rules, each beside what is left when it is broken (-DNO_RULE_…). */

/* RULE_1: n = |V| - quorum; quorum + 1 promises out of V; none out of an empty V. */
#ifdef NO_RULE_1
#define ENOUGH(set) (voters != 0 && COUNT((set) & voters) >= quorum)
#else
#define ENOUGH(set) (voters != 0 && COUNT((set) & voters) >= quorum + 1)
#endif

/* RULE_2: block, end the walreceiver, see it gone, and only then promise. The promise names its target, so that
 * it counts against no other (new_term in patroni.pml; NO_RULE_2_TARGET). */
#ifdef NO_RULE_2_BLOCK
#define MAY_PROMISE(s) (!IN(s, cleared))
#elif defined(NO_RULE_2_GONE)
#define MAY_PROMISE(s) (IN(s, blocked) && !IN(s, cleared))
#else
#define MAY_PROMISE(s) (IN(s, blocked) && !IN(s, linked) && !IN(s, cleared))
#endif

/* RULE_3: the revision of /sync is read before the first fence of a round. */
#ifdef NO_RULE_3
#define MAY_OPEN (1)
#else
#define MAY_OPEN (blocked == 0 && promised == 0)
#endif

/* RULE_4: no member that can be reached is ahead of the best promised member of V. */
#define AHEAD(s, set) (IN(s, set) && COUNT(AT_LEAST(position, position[s] + 1)) == 0)
#ifdef NO_RULE_4
#define NONE_AHEAD(set) (1)
#elif STANDBYS == 2
#define NONE_AHEAD(set) (AHEAD(0, set) || AHEAD(1, set))
#else
#define NONE_AHEAD(set) (AHEAD(0, set) || AHEAD(1, set) || AHEAD(2, set))
#endif
/* Whom the key may be handed over to: of those counted, the ones that nobody is ahead of. */
#ifdef ANY_HEIR
#define BEST_OF(set) (set)
#elif STANDBYS == 2
#define BEST_OF(set) (AHEAD(0, set) | (AHEAD(1, set) << 1))
#else
#define BEST_OF(set) (AHEAD(0, set) | (AHEAD(1, set) << 1) | (AHEAD(2, set) << 2))
#endif

/* RULE_5: NO_RULE_5_{LEADER,SYNC,PROMISES} leave out a compare (state.pml); NO_RULE_5_REWRITE leaves /sync
 * alone; NO_RULE_5_ORDER puts /sync before it deletes leader, so that the view between the two is torn. */

/* RULE_6: the lease is never revoked; it runs out. As first written the rule said: revoke after the transaction,
 * never before. REVOKE=1: after it, at once; 2: at once, and no fence is lifted before it is known to have
 * happened; 3: once another member runs as primary; 4: before it. */

#if REVOKE == 2
#define REVOKED (revoking == 0)
#else
#define REVOKED (1)
#endif

/* RULE_7: withdraw by one transaction, "if leader is still the old primary's, delete my promise"; then unblock. */
#ifdef NO_RULE_7_COMPARE
#define MAY_WITHDRAW (1)
#else
#define MAY_WITHDRAW (leader == OLD && REVOKED)
#endif

/* RULE_8: with another leader, lift only when this member follows it; without one, never. */
#ifdef NO_RULE_8_FOLLOW
#define MAY_LIFT(s) (leader > OLD)
#elif defined(NO_RULE_8_VACANT)
#define MAY_LIFT(s) (leader > OLD && IN(s, follows) || VACANT)
#else
#define MAY_LIFT(s) (leader > OLD && IN(s, follows) && REVOKED)
#endif

/* With HANDOVER=2 a key in /failover hangs on the promise's lease, and is gone by then too. */
#if HANDOVER == 2
#define HANDING_OVER (wanted != 0)
#else
#define HANDING_OVER (0)
#endif

/* RULE_9: the timer of the block outlasts the promise's lease and Patroni's ttl: when it fires, the promise is
 * gone, and the old primary has its key or has demoted (which PAUSE and FREEZE take away). */
#ifdef NO_RULE_9_PROMISE
#define TIMER_FIRES(s) (1)
#elif defined(NO_RULE_9_TTL)
#define TIMER_FIRES(s) (!IN(s, promised))
#else
#define TIMER_FIRES(s) (!IN(s, promised) && (leader == OLD && !HANDING_OVER || !up || paused_view))
#endif

/* RULE_10: at boot a block stands before PostgreSQL starts. */
#ifdef NO_RULE_10
#define BOOTS_WITH(s) WITHOUT(s, blocked)
#else
#define BOOTS_WITH(s) WITH(s, blocked)
#endif

/* RULE_11: no release within the guard time, which is longer than any candidate's cycle: no candidate still
 * acts on what it read in an earlier vacancy. GUARD_FROM_RELEASE: it counts from releases only, and not from
 * other changes of the leader key. */
#ifdef NO_RULE_11
#define GUARD_TIME_OVER (1)
#elif defined(GUARD_FROM_RELEASE)
#define GUARD_TIME_OVER ((STALE & began_released) == 0)
#else
#define GUARD_TIME_OVER (STALE == 0)
#endif

/* RULE_12 (FLOOR): a member promotes only with the floor of the present /sync, and with all that it says. A release
 * asks the same of the best that it counts, and what that one has is the floor of the /sync that it writes. */
#ifdef FLOOR
#define MAY_LEAD(s) (!no_floor && position[s] >= floor)
#define FLOOR_KEPT(set) (!no_floor && ((set) & AT_LEAST(position, floor)) != 0)
#define SAYS_FLOOR(c) floor = ((counted[c] & AT_LEAST(position, 1)) != 0)
#if ROWS > 1
#error "a floor is at most one row"
#endif
#else
#define MAY_LEAD(s) (1)
#define FLOOR_KEPT(set) (1)
#define SAYS_FLOOR(c) skip
#endif

/* Brakes: neither while paused nor during a switchover; both are compared by the transaction too. */
#ifdef NO_BRAKES
#define BRAKES_OFF (1)
#else
#define BRAKES_OFF (!paused && wanted == 0)
#endif
