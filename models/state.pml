/* What is known where, and what a change of it entails. */

#if CALM
bool calm;
#define STORM (!calm)      /* guards what is a fault, or what nothing obliges anybody to do */
#else
#define STORM (1)
#endif

/* etcd. Revisions are no numbers here: whoever compares one holds a flag that a change takes away. */
byte leader = OLD;         /* owner of the leader key */
bool lease = 1;            /* the old primary's lease lives; its leader key hangs on it */
byte voters, quorum;       /* /sync: V, and the votes that a candidate in V needs besides its own */
byte promised;             /* members whose promise key stands */

/* The old primary's PostgreSQL. */
bool up = 1;               /* runs as primary */
byte names, number;        /* synchronous_standby_names: ANY number (names) */
byte written, acked;       /* rows in its WAL; rows that clients were told are kept */

/* The old primary's Patroni. */
bool thinks_leader = 1;    /* its view of the leader key, as old as it may be */
bool knows_sync;           /* its revision of /sync is the current one */
bool writing;              /* a write of /sync is under way: queued anywhere, applied at any time or never */
bool write_fits;           /* the revision that it compares is still the current one */
byte new_voters, new_quorum;
#ifdef HOLE_B
bool went_on;              /* Patroni took the write for lost */
byte view_voters, view_quorum;
#endif

/* Standbys. */
byte position[STANDBYS];   /* rows flushed */
byte heard[STANDBYS];      /* rows that the old primary knows this standby has */
byte linked = ALL;         /* a walreceiver talks to the old primary */
byte follows;              /* primary_conninfo names somebody else */
#ifdef WIRE
byte arrived[STANDBYS];    /* rows that reached this host, in a socket or flushed */
#endif
#ifdef TERMS
byte astray;               /* has not joined the present primary's timeline: may vote, not race */
#else
#define astray 0
#endif

/* Patroni's race at each standby. */
#define IDLE 0
#define ASKS 1             /* has read /sync in a vacancy, collects votes */
#define WON 2              /* has its votes, is about to take the key */
#define HOLDS 3            /* has the key, does not run as primary yet */
#define LEADS 4
byte race[STANDBYS];
byte needs[STANDBYS];      /* votes that are missing */
byte asks[STANDBYS];       /* voters not heard yet; bit STANDBYS is the old primary */
bool promoted;             /* one of them runs as primary, on a new timeline */
byte fork = ROWS;          /* rows that it kept */
#define RACES(s) (race[s] == ASKS || race[s] == WON)
#define VACANT (leader == NOBODY)
/* Members that still act on what they read in a vacancy that is over. */
#define STALE (VACANT -> 0 : AT_LEAST(race, ASKS) & ~AT_LEAST(race, HOLDS))

/* Fences: a block of all packets to and from the old primary, set up by a host's agent. */
byte blocked;
byte cleared;              /* the promise is known to be deleted: only the unblock is left */
#ifdef LATE_PROMISE
byte sent_promise;         /* members whose put of a promise is under way */
#endif

/* Coordinators. */
#define OPEN 1             /* has the revision of /sync, from before the first fence of this round */
#define COUNTED 2          /* has the revisions of leader and of the promises it counted */
byte round[COORDINATORS];
byte counted[COORDINATORS];
byte heirs[COORDINATORS];  /* of those, whom the key may be handed over to */
#if REVOKE
byte revoking;             /* coordinators whose revocation of the old primary's present lease is under way */
#endif
#ifdef NO_RULE_5_ORDER
bool torn;                 /* the old primary may have seen the put of /sync, and not the deletion of leader */
#endif

/* Pause, in /config; and /failover. */
#ifdef PAUSE
bool paused;
bool paused_view;          /* what the old primary last read of it */
#else
#define paused 0
#define paused_view 0
#endif
#if defined(SWITCHOVER) || HANDOVER
#define CANDIDATES 1
#else
#define CANDIDATES 0
#endif
#if CANDIDATES
byte wanted;               /* /failover names this candidate: 1 + its number */
#else
#define wanted 0
#endif

/* -DFLOOR: on record is a row that the primary had with the present /sync, none lower than acknowledged. Where
 * exactly one write of /sync came since and it only added voters, none of whom is missed in the quorum, the row
 * stays what it is. */
#ifdef FLOOR
byte floor;
bool no_floor;             /* /sync was written since */
bool grown;                /* and that added voters alone */
#define ADDS(v, q) (((v) | voters) == (v) && (q) - quorum == COUNT(v) - COUNT(voters))
inline sync_written(v, q) {
  grown = (!no_floor && ADDS(v, q));
  no_floor = 1
}
#else
#define sync_written(v, q) skip
#endif

/* -DBLAME_RELEASE: a run ends where a candidate would promote that took its key in a vacancy which no release made.
 * What Patroni loses by itself is left out so. */
#ifdef BLAME_RELEASE
#define FOLLOWED_UP by_release
#else
#define FOLLOWED_UP (1)
#endif

/* Who made a vacancy is kept only where a property or a rule asks: whether the present one came of a release,
 * whether the key was taken in such a one, and which races began in such a one. */
#if defined(GUARD_FROM_RELEASE) || defined(STOP_IN_GUARD)
byte began_released;
#define RACE_BEGINS(s) began_released = (released -> WITH(s, began_released) : WITHOUT(s, began_released))
#define RACE_ENDS(s) began_released = WITHOUT(s, began_released)
#else
#define RACE_BEGINS(s) skip
#define RACE_ENDS(s) skip
#endif
#if defined(BLAME_RELEASE) || defined(GUARD_FROM_RELEASE) || defined(STOP_IN_GUARD)
bool released, by_release;
#define VACANT_BY(release) leader = NOBODY; leader_changed(); released = release; by_release = 0
#define KEY_TAKEN_BY(owner) leader = owner; leader_changed(); by_release = (released && leader > OLD); released = 0
#else
#define VACANT_BY(release) leader = NOBODY; leader_changed()
#define KEY_TAKEN_BY(owner) leader = owner; leader_changed()
#endif

/* Both properties of rows in one: what was acknowledged is in what the new primary kept, and while that one runs,
 * the old one acknowledges nothing beyond it. */
inline check_rows() {
  assert(!promoted || acked <= fork)
}

/* The old primary acknowledges whatever ANY number (names) now allows. */
inline acknowledge() {
  do
  :: up && acked < written && COUNT(names & AT_LEAST(heard, acked + 1)) >= number ->
       acked++; TELL("        the client is told that row %d is kept\n", acked)
  :: else -> break
  od;
  check_rows()
}

/* A compare that can no longer succeed never does anything: its coordinator is set back at once. */
inline forget_count(c) {
  if :: round[c] == COUNTED -> round[c] = OPEN; counted[c] = 0; heirs[c] = 0 :: else fi
}
inline forget_round(c) {
  round[c] = IDLE; counted[c] = 0; heirs[c] = 0
}
inline forget_counts() {
  forget_count(0);
#if COORDINATORS == 2
  forget_count(1);
#endif
}
inline leader_changed() {
#ifdef NO_RULE_5_LEADER
  skip
#else
  forget_counts()
#endif
}
inline brake_changed() {
#ifdef NO_BRAKES
  skip
#else
  forget_counts()
#endif
}
inline promise_changed(s) {
#ifdef NO_RULE_5_PROMISES
  skip
#else
  if :: IN(s, counted[0]) -> forget_count(0) :: else fi;
#if COORDINATORS == 2
  if :: IN(s, counted[1]) -> forget_count(1) :: else fi;
#endif
#endif
}
inline sync_changed() {
  knows_sync = 0; write_fits = 0;
#ifndef NO_RULE_5_SYNC
  forget_round(0);
#if COORDINATORS == 2
  forget_round(1);
#endif
#endif
}

/* The life of the lease is told apart from that of the key only where it makes a difference. */
#if REVOKE || defined(FREEZE)
#define LEASE_LIVES (lease)
#else
#define LEASE_LIVES (leader == OLD)
#endif
inline lease_ends() {
#if REVOKE || defined(FREEZE)
  lease = 0;
#endif
#if REVOKE
  revoking = 0;
#endif
  if :: leader == OLD -> VACANT_BY(0) :: else fi
}
inline race_over(s) {
  race[s] = IDLE; needs[s] = 0; asks[s] = 0; RACE_ENDS(s)
}
inline write_lost() {
  writing = 0; write_fits = 0; new_voters = 0; new_quorum = 0
#ifdef HOLE_B
  ; went_on = 0
#endif
}
