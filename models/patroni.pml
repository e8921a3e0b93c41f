/* The old primary, PostgreSQL and Patroni 4.0.7 (quorum.py, ha.py, dcs/etcd3.py), and etcd. Patroni's two own
 * holes are closed unless an option opens them. */

/* QuorumStateResolver.check_invariants: one set within the other, and any voters that elect overlap any standbys
 * that acknowledge. The leader itself is left out of both sides. */
#define NESTED(a, b) (((a) | (b)) == (a) || ((a) | (b)) == (b))
#define OVERLAP(v, q, s, n) ((v) == 0 || NESTED(v, s) && ((v) & (s)) != 0 && COUNT((v) | (s)) <= (q) + (n))

/* Hole A: Patroni drops a standby that went away whether or not those that stay have all that it acknowledged.
 * HOLE_A=1: any that is not connected; 2: only one that a fence cuts off. Closed: of the new voters, no more than
 * quorum lack an acknowledged row. */
#define COMPLETE(v, q) ((v) == 0 || COUNT((v) & ~AT_LEAST(heard, acked)) <= (q))
#define DROPS_ONLY(v, absent) (((v) | voters) == voters && (voters & ~(v) & ~(absent)) == 0)
#if HOLE_A == 2
#define MAY_WRITE(v, q) (COMPLETE(v, q) || DROPS_ONLY(v, blocked))
#elif HOLE_A
#define MAY_WRITE(v, q) (COMPLETE(v, q) || DROPS_ONLY(v, ~linked))
#else
#define MAY_WRITE(v, q) COMPLETE(v, q)
#endif

/* Hole B (-DHOLE_B): a write of /sync that timed out may be applied after Patroni went on from its old view. */
#ifdef HOLE_B
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

/* When the lease runs out by itself, the old primary has demoted, unless it last read that the cluster is paused.
 * FREEZE: its Patroni may hang while PostgreSQL runs, without a watchdog. */
#ifdef FREEZE
#define EXPIRES (1)
#else
#define EXPIRES (!up || paused_view)
#endif

/* Patroni's ttl is longer than any candidate's cycle, so when a lease has run out none acts on what it read before.
 * A clean stop deletes the key at once; a candidate that slept since the primary's last return would lose rows
 * without any agent. STOP_IN_GUARD lets one sleep since a release. */
#ifdef STOP_IN_GUARD
#define ASLEEP (STALE & ~began_released)
#else
#define ASLEEP STALE
#endif

/* KEEPS_KEY: the old primary does not fail while it has its key, so that releases and switchovers alone make
 * vacancies: what Patroni loses by itself when it is paused, or asked for a switchover, is left out so. */
#ifdef KEEPS_KEY
#define FAILS (leader != OLD)
#else
#define FAILS (1)
#endif

/* CALM=2, 3: the old primary never comes back. */
#if CALM >= 2
#define RETURNS STORM
#else
#define RETURNS (1)
#endif

#if CANDIDATES
#define SWITCHOVER_OVER if :: wanted != 0 -> wanted = 0; brake_changed() :: else fi
#else
#define SWITCHOVER_OVER skip
#endif

#define SET_NAMES(v, n) \
  :: d_step { STORM && up && thinks_leader && !WAITS && (names != (v) || number != (n)) && \
       OVERLAP(VIEW_VOTERS, VIEW_QUORUM, v, n) -> \
       TELL("primary: synchronous_standby_names = ANY %d of set %d\n", n, v); \
       names = v; number = n; acknowledge() }
#define WRITE_SYNC(v, q) \
  :: d_step { STORM && up && thinks_leader && !writing && (VIEW_VOTERS != (v) || VIEW_QUORUM != (q)) && \
       OVERLAP(v, q, names, number) && MAY_WRITE(v, q) -> \
       TELL("primary: sends /sync, V = set %d, quorum %d\n", v, q); \
       new_voters = v; new_quorum = q; writing = 1; write_fits = knows_sync }

proctype Primary() {
  do
  :: d_step { STORM && up && written < ROWS -> written++; TELL("primary: writes row %d\n", written) }

  /* It demotes, crashes, or its host does; or it stops cleanly, and deletes the key. */
  :: d_step { up && FAILS && (STORM || leader > OLD) -> TELL("primary: stops\n"); up = 0; thinks_leader = 0 }
#ifndef KEEPS_KEY
  :: d_step { STORM && up && !writing && leader == OLD && ASLEEP == 0 ->
       TELL("primary: stops cleanly, deletes the leader key\n");
       up = 0; thinks_leader = 0; VACANT_BY(0) }
#endif

  /* Patroni reads the cluster. */
  :: d_step { up && !WAITS && (thinks_leader != (leader == OLD) || thinks_leader && !knows_sync) ->
       thinks_leader = (leader == OLD);
       TELL("primary: reads the cluster, leader: %d\n", thinks_leader);
       if :: thinks_leader -> read_sync() :: else fi }
#ifdef NO_RULE_5_ORDER
  :: d_step { up && !WAITS && thinks_leader && torn ->
       TELL("primary: sees half of the release\n"); torn = 0; read_sync() }
#endif

  /* It sees no leader, or its lease is gone and its view old (etcd3._update_leader): it takes the key back, under
   * the lease that it still has, or under a new one. */
  :: d_step { up && !WAITS && VACANT && (!thinks_leader || !lease) && !promoted ->
       TELL("primary: takes the leader key back\n");
       KEY_TAKEN_BY(OLD); lease = 1;
       if :: !thinks_leader -> thinks_leader = 1; read_sync(); SWITCHOVER_OVER :: else fi }

  /* Once stopped, it comes back as the former leader: it has every row, and needs no votes. It sets its names from
   * /sync before it runs (process_sync_replication_prepromote). */
  :: d_step { RETURNS && !up && !writing && !promoted && (VACANT || leader == OLD) ->
       TELL("primary: runs again, with the leader key\n");
       if :: VACANT -> KEY_TAKEN_BY(OLD) :: else fi;
       up = 1; lease = 1; thinks_leader = 1; read_sync();
       names = voters; number = COUNT(voters) - quorum;
       if :: voters == 0 -> names = ALL; number = 1 :: else fi;
       linked = 0;
       acknowledge() }

  /* The resolver changes synchronous_standby_names and writes /sync: whatever its invariants allow. In strict mode
   * the names are never empty: '*' counts any one standby. */
  SET_NAMES(1, 1) SET_NAMES(2, 1) SET_NAMES(3, 1)
  WRITE_SYNC(0, 0) WRITE_SYNC(1, 0) WRITE_SYNC(2, 0) WRITE_SYNC(3, 0) WRITE_SYNC(3, 1)
#if STANDBYS == 3
  SET_NAMES(4, 1) SET_NAMES(5, 1) SET_NAMES(6, 1) SET_NAMES(7, 1)
  WRITE_SYNC(4, 0) WRITE_SYNC(5, 0) WRITE_SYNC(5, 1) WRITE_SYNC(6, 0) WRITE_SYNC(6, 1)
  WRITE_SYNC(7, 0) WRITE_SYNC(7, 1) WRITE_SYNC(7, 2)
#endif
#if COPIES == 2
  SET_NAMES(3, 2)
#if STANDBYS == 3
  SET_NAMES(5, 2) SET_NAMES(6, 2) SET_NAMES(7, 2)
#endif
#endif
#ifdef FLOOR
  :: d_step { up && leader == OLD && no_floor ->
       floor = (grown -> floor : acked); TELL("primary: the floor is row %d\n", floor);
       no_floor = 0; grown = 0 }
#endif
#ifdef HOLE_B
  :: d_step { up && writing && !went_on -> TELL("primary: takes its write for lost\n"); went_on = 1 }
#endif

#if CANDIDATES
  /* A switchover: a clean stop once the candidate has everything, or never mind. */
  :: d_step { up && !writing && leader == OLD && ASLEEP == 0 && wanted != 0 && position[wanted - 1] == written ->
       TELL("primary: hands over to s%d\n", wanted);
       up = 0; thinks_leader = 0; VACANT_BY(0) }
  :: d_step { up && thinks_leader && leader == OLD && wanted != 0 ->
       TELL("primary: deletes /failover\n"); wanted = 0; brake_changed() }
#endif
  od
}

proctype Etcd() {
  do
  /* The write of /sync arrives; its compare decides. */
  :: d_step { writing ->
       if
       :: write_fits ->
            TELL("etcd: /sync is V = set %d, quorum %d\n", new_voters, new_quorum);
            sync_written(new_voters, new_quorum);
            voters = new_voters; quorum = new_quorum; sync_changed();
            if :: WAITS -> read_sync() :: else fi
       :: else -> TELL("etcd: refuses the write of /sync\n")
       fi;
       write_lost() }

#ifndef KEEPS_KEY
  :: d_step { LEASE_LIVES && STALE == 0 && EXPIRES -> TELL("etcd: the primary's lease runs out\n"); lease_ends() }
#endif
  od
}

/* LATE_REQUEST: a request for a switchover may be applied after the leader is gone. */
#ifdef LATE_REQUEST
#define MAY_REQUEST (leader <= OLD && wanted == 0)
#else
#define MAY_REQUEST (leader == OLD && wanted == 0)
#endif
#if defined(PAUSE) || defined(SWITCHOVER)
proctype Operator() {
  do
#ifdef PAUSE
  :: d_step { STORM -> paused = !paused; brake_changed(); TELL("operator: pause %d\n", paused) }
  :: d_step { up && paused_view != paused -> paused_view = paused; TELL("primary: reads pause %d\n", paused) }
#endif
#ifdef SWITCHOVER
  :: d_step { MAY_REQUEST -> wanted = 1; brake_changed(); TELL("operator: switchover to s1\n") }
  :: d_step { MAY_REQUEST -> wanted = 2; brake_changed(); TELL("operator: switchover to s2\n") }
#endif
  od
}
#endif
