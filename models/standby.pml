/* Standbys: replication, Patroni's race, and what follows a failover. */

/* What goes with a connection, and with a host. */
#ifdef WIRE
#define CUT(s) arrived[s] = position[s]
#else
#define CUT(s) skip
#endif
#ifdef PATRONI_ALONE
#define BOOT(s) skip
#else
#define BOOT(s) blocked = BOOTS_WITH(s); cleared = WITHOUT(s, cleared)
#endif

#define HAS_VOTE(s, of) \
  asks[s] = WITHOUT(of, asks[s]); needs[s]--; \
  if :: needs[s] == 0 -> race[s] = WON; asks[s] = 0 :: else fi
#define ASK(m) \
  :: d_step { race[s] == ASKS && IN(m, asks[s]) && position[m] <= position[s] -> \
       TELL("s%d: has the vote of s%d, at row %d\n", s + 1, m + 1, position[m]); HAS_VOTE(s, m) }

/* -DTERMS: any number of failovers. Once the old primary is down, the roles are dealt anew: the new primary is "the
 * old primary" from now on, and the former one takes its place among the standbys, to be rewound. The new one has
 * set its names from /sync before it ran, with its predecessor instead of itself, and writes the same into /sync.
 * RULE_2: promises name the former primary, and count no more. */
#ifdef TERMS
#define JOINS(s) astray = WITHOUT(s, astray)
#ifdef NO_RULE_2_TARGET
#define FORMER_PROMISES promised
#else
#define FORMER_PROMISES 0
#endif
#define DEAL(t) \
  if :: position[t] > fork -> position[t] = fork :: else fi; \
  heard[t] = 0; CUT(t)
inline new_term(s) {
  TELL("s%d: is the primary; the former one comes back as s%d\n", s + 1, s + 1);
#ifdef FLOOR
  no_floor = 1; grown = 0;
#endif
  number = COUNT(voters) - quorum + 1 - IN(s, voters);
  voters = WITH(s, voters);
  names = voters;
  follows = ALL & ~WITHOUT(s, follows);
  astray = follows;
  position[s] = fork;
  DEAL(0); DEAL(1);
#if STANDBYS == 3
  DEAL(2);
#endif
  written = fork; fork = ROWS; promoted = 0;
  acked = (acked > written -> written : acked);
  race_over(s);
  linked = 0; blocked = 0; cleared = 0; promised = FORMER_PROMISES;
  leader = OLD; lease = 1; up = 1; thinks_leader = 1;
#if REVOKE
  revoking = 0;
#endif
  leader_changed(); sync_changed(); read_sync();
  forget_round(0);
#if COORDINATORS == 2
  forget_round(1);
#endif
}
#else
#define JOINS(s) skip
#endif

proctype Standby(byte s) {
  do
  /* Rows arrive and are flushed. A block cuts off what is sent after it: without WIRE, not even that. */
#ifdef WIRE
  :: d_step { up && IN(s, linked) && !IN(s, blocked) && arrived[s] < written ->
       arrived[s]++; TELL("s%d: row %d arrives\n", s + 1, arrived[s]) }
  :: d_step { IN(s, linked) && position[s] < arrived[s] ->
       position[s]++; TELL("s%d: flushes row %d\n", s + 1, position[s]) }
#else
  :: d_step { up && IN(s, linked) && position[s] < written ->
       position[s]++; TELL("s%d: flushes row %d\n", s + 1, position[s]) }
#endif
  /* A reply leaves as soon as rows are flushed, and arrives when it likes: also after the connection is gone. */
  :: d_step { up && heard[s] < position[s] ->
       TELL("primary: hears that s%d has row %d\n", s + 1, position[s]); heard[s] = position[s]; acknowledge() }

  /* It connects to the old primary; a block prevents just that. */
  :: d_step { up && !IN(s, linked) && !IN(s, blocked) && !IN(s, follows) && race[s] < HOLDS ->
       TELL("s%d: connects to the primary\n", s + 1); linked = WITH(s, linked) }

  /* Its Patroni follows another leader, or the old one again. */
  :: d_step { leader > OLD && race[s] < HOLDS && !IN(s, follows) ->
       TELL("s%d: follows s%d\n", s + 1, leader - 1);
       follows = WITH(s, follows); linked = WITHOUT(s, linked); race_over(s); CUT(s) }
  :: d_step { leader == OLD && IN(s, follows) && !promoted ->
       TELL("s%d: follows the primary\n", s + 1); follows = WITHOUT(s, follows); JOINS(s) }

  /* RULE_10: the host restarts. */
  :: d_step { STORM && race[s] < HOLDS ->
       TELL("s%d: restarts\n", s + 1); linked = WITHOUT(s, linked); race_over(s); CUT(s); BOOT(s) }

  /* The race: read /sync while there is no leader, ask voters, take the key, promote. It gives up at any time. Its
   * own position is read late, which only allows more. */
  :: d_step { VACANT && race[s] == IDLE && !promoted && !paused && !IN(s, astray) ->
       TELL("s%d: sees no leader, reads V = set %d, quorum %d\n", s + 1, voters, quorum);
       RACE_BEGINS(s);
       race[s] = ASKS; asks[s] = WITHOUT(s, voters) | ONE(STANDBYS); needs[s] = quorum + 1 - IN(s, voters);
       if :: needs[s] == 0 -> race[s] = WON; asks[s] = 0 :: else fi }
  ASK(0) ASK(1)
#if STANDBYS == 3
  ASK(2)
#endif
  /* The former leader votes too, once it runs as a standby (SyncState.members has it). */
  :: d_step { race[s] == ASKS && IN(STANDBYS, asks[s]) && !up && written <= position[s] ->
       TELL("s%d: has the vote of the former primary\n", s + 1); HAS_VOTE(s, STANDBYS) }
#if CANDIDATES
  /* Whom /failover names asks nobody (ha.manual_failover_process_no_leader). */
  :: d_step { VACANT && race[s] == IDLE && !promoted && wanted == s + 1 && IN(s, voters) ->
       TELL("s%d: is named by /failover\n", s + 1); RACE_BEGINS(s); race[s] = WON }
#endif
  :: d_step { STORM && RACES(s) -> TELL("s%d: gives up the race\n", s + 1); race_over(s) }
  :: d_step { race[s] == WON && VACANT ->
       TELL("s%d: takes the leader key\n", s + 1);
       KEY_TAKEN_BY(STANDBY(s)); race[s] = HOLDS; RACE_ENDS(s); SWITCHOVER_OVER }
  :: d_step { race[s] == HOLDS && leader == STANDBY(s) && FOLLOWED_UP && MAY_LEAD(s) ->
       TELL("s%d: promotes, with %d rows of %d acknowledged\n", s + 1, position[s], acked);
       race[s] = LEADS; fork = position[s]; promoted = 1;
       linked = WITHOUT(s, linked); follows = WITH(s, follows); CUT(s);
       check_rows() }
  /* Or it dies before, and its lease runs out. */
  :: d_step { STORM && race[s] == HOLDS && !promoted ->
       TELL("s%d: dies, its lease runs out\n", s + 1); VACANT_BY(0); race_over(s) }
#ifdef TERMS
  :: d_step { race[s] == LEADS && leader == STANDBY(s) && !up && !writing -> new_term(s) }
#endif
  od
}
