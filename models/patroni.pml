/* PostgreSQL and Patroni 4.0.7, as its quorum.py, ha.py and dcs/etcd3.py have it, with its two own holes closed
 * unless an option opens them. */

/* QuorumStateResolver.check_invariants: one set within the other, and any voters that elect overlap any
 * standbys that acknowledge. The leader itself is left out of both sides. */
#define NESTED(a, b) (((a) | (b)) == (a) || ((a) | (b)) == (b))
#define OVERLAP(v, q, s, n) ((v) == 0 || (NESTED(v, s) && ((v) & (s)) != 0 && COUNT((v) | (s)) <= (q) + (n)))

/* Hole A (-DHOLE_A=1; 2: only of standbys that a fence cut off): Patroni drops a standby that went away whether or not those that stay have all that it
 * acknowledged. Closed: of the new voters, no more than quorum lack an acknowledged row. */
#define KNOWN_COMPLETE(v, q) ((v) == 0 || COUNT((v) & ~AT_LEAST(heard, acked)) <= (q))
#ifdef HOLE_A
#define DROPS_ABSENT(v) (((v) | voters) == voters && ((voters & ~(v)) & PRESENT) == 0)
#if HOLE_A == 2
#define PRESENT (ALL & ~blocked)
#else
#define PRESENT linked
#endif
#define MAY_WRITE(v, q) (KNOWN_COMPLETE(v, q) || DROPS_ABSENT(v))
#else
#define MAY_WRITE(v, q) KNOWN_COMPLETE(v, q)
#endif

/* Hole B (-DHOLE_B): a write of /sync that timed out may be applied after Patroni went on. */
#ifdef HOLE_B
bool went_on;
byte view_voters, view_quorum;
#define WAITS (writing && !went_on)
#define VIEW_VOTERS view_voters
#define VIEW_QUORUM view_quorum
inline read_sync() { view_voters = voters; view_quorum = quorum; knows_sync = 1 }
#else
#define WAITS writing
#define VIEW_VOTERS voters
#define VIEW_QUORUM quorum
inline read_sync() { knows_sync = 1 }
#endif

/* When the lease runs out by itself: the old primary has demoted by then. FREEZE: it may not have. */
#ifdef FREEZE
#define EXPIRES (1)
#else
#define EXPIRES (!up)
#endif

/* What a standby loses with its connection, and with its host. */
#ifdef WIRE
#define CUT(s) arrived[s] = position[s]
#else
#define CUT(s) skip
#endif
#ifdef PATRONI_ALONE
#define REBOOT(s) skip
#else
#define REBOOT(s) blocked = BOOTS_WITH(s); cleared = WITHOUT(s, cleared)
#endif

#define SET_NAMES(v, n) \
  :: d_step { up && thinks_leader && !WAITS && (names != (v) || number != (n)) && \
       OVERLAP(VIEW_VOTERS, VIEW_QUORUM, v, n) -> names = v; number = n; acknowledge() }
#define WRITE_SYNC(v, q) \
  :: d_step { up && thinks_leader && !writing && (VIEW_VOTERS != (v) || VIEW_QUORUM != (q)) && \
       OVERLAP(v, q, names, number) && MAY_WRITE(v, q) -> \
       new_voters = v; new_quorum = q; writing = 1; write_fits = knows_sync }

proctype Primary() {
  do
  :: d_step { up && written < ROWS -> written++ }

  /* It demotes, crashes, or its host does. */
  :: d_step { up -> up = 0; thinks_leader = 0 }

  /* A clean stop deletes the key itself. */
  :: d_step { up && !writing && leader == OLD && !STALE_RACE ->
       up = 0; thinks_leader = 0; VACANT_BY(0) }

  /* Patroni reads the cluster. */
  :: d_step { up && !WAITS && (thinks_leader != (leader == OLD) || thinks_leader && !knows_sync) ->
       thinks_leader = (leader == OLD);
       if :: thinks_leader -> read_sync() :: else fi }
#ifdef NO_RULE_5_ORDER
  :: d_step { up && !WAITS && thinks_leader && torn -> torn = 0; read_sync() }
#endif

  /* It sees no leader, or its lease is gone and its view is old (etcd3._update_leader): it takes the key back,
   * under the lease that it still has, or under a new one. */
  :: d_step { up && !WAITS && VACANT && (!thinks_leader || !lease) && !promoted ->
       leader = OLD; lease = 1; leader_changed();
       if :: !thinks_leader -> thinks_leader = 1; read_sync() :: else fi }

  /* Once stopped, it comes back as the former leader: it has every row, and needs no votes. It sets its names
   * from /sync before it runs (process_sync_replication_prepromote). */
  :: d_step { !up && !writing && !promoted && (VACANT || leader == OLD) ->
       if :: VACANT -> leader = OLD; leader_changed() :: else fi;
       up = 1; lease = 1; thinks_leader = 1; read_sync();
       names = voters; number = COUNT(voters) - quorum;
       if :: voters == 0 -> names = ALL; number = 1 :: else fi;
       linked = 0;
       acknowledge() }

  /* The resolver changes synchronous_standby_names: whatever its invariants allow. In strict mode they are
   * never empty: '*' counts any one standby. */
  SET_NAMES(1, 1) SET_NAMES(2, 1) SET_NAMES(3, 1)
#if STANDBYS == 3
  SET_NAMES(4, 1) SET_NAMES(5, 1) SET_NAMES(6, 1) SET_NAMES(7, 1)
#endif
#if COPIES == 2
  SET_NAMES(3, 2)
#if STANDBYS == 3
  SET_NAMES(5, 2) SET_NAMES(6, 2) SET_NAMES(7, 2)
#endif
#endif

  /* The resolver writes /sync; the write may be applied at any time, or never. */
  WRITE_SYNC(0, 0) WRITE_SYNC(1, 0) WRITE_SYNC(2, 0) WRITE_SYNC(3, 0) WRITE_SYNC(3, 1)
#if STANDBYS == 3
  WRITE_SYNC(4, 0) WRITE_SYNC(5, 0) WRITE_SYNC(5, 1) WRITE_SYNC(6, 0) WRITE_SYNC(6, 1)
  WRITE_SYNC(7, 0) WRITE_SYNC(7, 1) WRITE_SYNC(7, 2)
#endif
  od
}

/* What etcd does by itself. */
proctype Etcd() {
  do
  /* The write of /sync arrives; its compare decides. */
  :: d_step { writing ->
       if
       :: write_fits ->
            voters = new_voters; quorum = new_quorum; sync_changed();
            if :: !WAITS -> skip :: else -> read_sync() fi
       :: else
       fi;
       writing = 0; write_fits = 0; new_voters = 0; new_quorum = 0 }

  /* The old primary's lease runs out. It has demoted by then (-DFREEZE: it may not have). ttl is longer than any
   * candidate's cycle, so none acts on what it read before. */
  :: d_step { LEASE_LIVES && !STALE_RACE && EXPIRES -> lease_ends() }
  od
}

#define ASK(m) \
  :: d_step { race[s] == ASKS && IN(m, asks[s]) && position[m] <= position[s] -> \
       asks[s] = WITHOUT(m, asks[s]); needs[s]--; \
       if :: needs[s] == 0 -> race[s] = WON; asks[s] = 0 :: else fi }

proctype Standby(byte s) {
  do
#ifdef WIRE
  :: d_step { up && IN(s, linked) && !IN(s, blocked) && arrived[s] < written -> arrived[s]++ }
  :: d_step { IN(s, linked) && position[s] < arrived[s] -> position[s]++ }
#else
  :: d_step { up && IN(s, linked) && position[s] < written -> position[s]++ }
#endif
  /* A reply leaves, and arrives when it likes. */
  :: d_step { IN(s, linked) && replied[s] < position[s] -> replied[s] = position[s] }
  :: d_step { up && heard[s] < replied[s] -> heard[s] = replied[s]; acknowledge() }

  /* It connects to the old primary; a block prevents just that. */
  :: d_step { up && !IN(s, linked) && !IN(s, blocked) && !IN(s, follows) && race[s] < HOLDS -> linked = WITH(s, linked) }

  /* Its Patroni follows another leader, or the old one again. */
  :: d_step { leader > OLD && race[s] < HOLDS && !IN(s, follows) ->
       follows = WITH(s, follows); linked = WITHOUT(s, linked); race_over(s); CUT(s) }
  :: d_step { leader == OLD && IN(s, follows) && !promoted -> follows = WITHOUT(s, follows) }

  /* The host restarts. */
  :: d_step { race[s] < HOLDS ->
       linked = WITHOUT(s, linked); race_over(s); CUT(s);
       REBOOT(s) }

  /* The race: read /sync while there is no leader, ask voters, take the key, promote. It gives up at any time.
   * Its own position is read late, which only allows more. */
  :: d_step { VACANT && race[s] == IDLE && !promoted ->
       race[s] = ASKS; asks[s] = WITHOUT(s, voters); needs[s] = quorum + 1 - IN(s, voters);
       if :: needs[s] == 0 -> race[s] = WON; asks[s] = 0 :: else fi }
  ASK(0) ASK(1)
#if STANDBYS == 3
  ASK(2)
#endif
  :: d_step { race[s] == ASKS || race[s] == WON -> race_over(s) }
  :: d_step { race[s] == WON && VACANT -> leader = STANDBY(s); leader_changed(); race[s] = HOLDS; BLAME }
  :: d_step { race[s] == HOLDS && leader == STANDBY(s) ->
       race[s] = LEADS; fork = position[s]; promoted = 1;
       linked = WITHOUT(s, linked); follows = WITH(s, follows); CUT(s);
       check_rows() }
  /* It dies before it promotes, and its lease runs out. */
  :: d_step { race[s] == HOLDS && !promoted -> VACANT_BY(0); race_over(s) }
  od
}
