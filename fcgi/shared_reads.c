#include "fcgi/shared_reads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/table.h"

enum {
	KEY_SIZE = 1003, /* of the form, the path, the query and a NUL behind these two */
	KEPT_MAX = 1000,
	KEPT_BYTES_MAX = 32 << 20, /* of all bodies that are kept */
	KEPT_BODY_MAX = 8 << 20,
};

struct shared_read {
	UT_hash_handle hh;               /* in the table until it is dropped */
	struct shared_read *prev, *next; /* among those that are kept */
	/* The table's, the leader's, and one each for those that wait or have it; who gives
	 * back the last frees it. Taken under the lock. */
	atomic_uint references;
	bool made;
	bool wanted;             /* somebody waits for it */
	pthread_cond_t now_made;
	int64_t made_ns;         /* on the monotonic clock */
	struct response answer;  /* does not change once it is made */
	char key[];
};

struct shared_reads {
	pthread_mutex_t lock;
	int64_t max_age_ns;
	struct shared_read *table; /* all that are being made or kept */
	struct shared_read *kept;  /* those that are kept, oldest first */
	unsigned kept_count;
	size_t kept_bytes;
	unsigned waiting;
};

struct shared_reads *shared_reads_open(void)
{
	struct shared_reads *reads = calloc(1, sizeof(*reads));
	if (reads)
		pthread_mutex_init(&reads->lock, NULL);
	return reads;
}

/* Writes the key of a request; its length, or 0 for one that is too long. */
static size_t make_key(const struct request *request, char ret_key[static KEY_SIZE])
{
	size_t path_size = strlen(request->path) + 1, query_size = strlen(request->query) + 1;
	if (1 + path_size + query_size > KEY_SIZE)
		return 0;
	ret_key[0] = (char)request->media;
	memcpy(ret_key + 1, request->path, path_size);
	memcpy(ret_key + 1 + path_size, request->query, query_size);
	return 1 + path_size + query_size;
}

static void give_back(struct shared_read *read)
{
	if (atomic_fetch_sub(&read->references, 1) > 1)
		return;
	pthread_cond_destroy(&read->now_made);
	response_free(&read->answer);
	/* analyzer: nobody has a reference to it any more */
	free(read);
}

/* Takes a read out of the table: nobody will find it any more. The lock is held. */
static void drop(struct shared_reads *reads, struct shared_read *read)
{
	HASH_DEL(reads->table, read);
	give_back(read);
}

/* Drops one that is kept. The lock is held. */
static void forget(struct shared_reads *reads, struct shared_read *read)
{
	DL_DELETE(reads->kept, read);
	reads->kept_count--;
	reads->kept_bytes -= read->answer.body.length;
	drop(reads, read);
}

/* The lock is held. */
static bool is_fresh(const struct shared_reads *reads, const struct shared_read *read, int64_t now_ns)
{
	return read->made && now_ns - read->made_ns < reads->max_age_ns;
}

/* Drops those that are too old and, where there is too much, the oldest. The lock is held. */
static void trim(struct shared_reads *reads, int64_t now_ns)
{
	while (reads->kept && (reads->kept_count > KEPT_MAX || reads->kept_bytes > KEPT_BYTES_MAX ||
	                       !is_fresh(reads, reads->kept, now_ns)))
		forget(reads, reads->kept);
}

/* Keeps one that is made. The lock is held. */
static void keep(struct shared_reads *reads, struct shared_read *read)
{
	DL_APPEND(reads->kept, read);
	reads->kept_count++;
	reads->kept_bytes += read->answer.body.length;
	trim(reads, read->made_ns);
}

void shared_reads_close(struct shared_reads *reads)
{
	if (!reads)
		return;
	while (reads->kept)
		forget(reads, reads->kept);
	pthread_mutex_destroy(&reads->lock);
	free(reads);
}

void shared_reads_set_max_age(struct shared_reads *reads, int64_t max_age_ms)
{
	pthread_mutex_lock(&reads->lock);
	reads->max_age_ns = max_age_ms * 1000000;
	trim(reads, clock_monotonic_ns());
	pthread_mutex_unlock(&reads->lock);
}

/* Adds a read that the caller leads: one reference is its, one the table's. NULL: out
 * of memory. The lock is held. */
static struct shared_read *add(struct shared_reads *reads, const char *key, size_t length)
{
	struct shared_read *read = calloc(1, sizeof(*read) + length);
	if (!read)
		return NULL;
	read->references = 2;
	memcpy(read->key, key, length);
	pthread_cond_init(&read->now_made, NULL);
	HASH_ADD(hh, reads->table, key, length, read);
	if (!read->hh.tbl) {
		read->references = 1;
		give_back(read);
		return NULL;
	}
	return read;
}

static void give_back_lent(void *read)
{
	give_back(read);
}

/* Fills the response with an answer that is made; the caller's reference is given back with it. */
static void lend(struct response *response, struct shared_read *read)
{
	response->status = read->answer.status;
	response->content_type = read->answer.content_type;
	response->allow = read->answer.allow;
	response->authenticate = read->answer.authenticate;
	response->retry_after_s = read->answer.retry_after_s;
	response->lent = &read->answer.body;
	response->lender = read;
	response->give_back = give_back_lent;
}

bool shared_reads_find(struct shared_reads *reads, const struct request *request, struct response *response)
{
	char key[KEY_SIZE];
	size_t length = make_key(request, key);
	if (length == 0)
		return false;

	struct shared_read *read;
	pthread_mutex_lock(&reads->lock);
	HASH_FIND(hh, reads->table, key, length, read);
	if (read && is_fresh(reads, read, clock_monotonic_ns()))
		atomic_fetch_add(&read->references, 1);
	else
		read = NULL;
	pthread_mutex_unlock(&reads->lock);
	if (read)
		lend(response, read);
	return read != NULL;
}

bool shared_reads_begin(struct shared_reads *reads, const struct request *request, struct response *response,
                        struct shared_read **ret_read)
{
	char key[KEY_SIZE];
	size_t length = make_key(request, key);
	*ret_read = NULL;
	if (length == 0)
		return false;

	struct shared_read *read;
	pthread_mutex_lock(&reads->lock);
	HASH_FIND(hh, reads->table, key, length, read);
	if (read && read->made && !is_fresh(reads, read, clock_monotonic_ns())) {
		forget(reads, read);
		read = NULL;
	}
	if (!read) {
		*ret_read = add(reads, key, length);
		pthread_mutex_unlock(&reads->lock);
		return false;
	}
	atomic_fetch_add(&read->references, 1);
	reads->waiting++;
	while (!read->made) {
		read->wanted = true;
		pthread_cond_wait(&read->now_made, &reads->lock);
	}
	reads->waiting--;
	pthread_mutex_unlock(&reads->lock);
	lend(response, read);
	return true;
}

void shared_reads_end(struct shared_reads *reads, struct shared_read *read, struct response *response)
{
	if (!read)
		return;
	pthread_mutex_lock(&reads->lock);
	bool kept = reads->max_age_ns > 0 && response->status == 200 && !text_failed(&response->body) &&
	            response->body.length <= KEPT_BODY_MAX;
	bool shared = kept || read->wanted;
	if (shared) {
		read->answer = *response;
		response->body = TEXT_EMPTY;
		response->share.counted = 0;
		read->made = true;
		read->made_ns = clock_monotonic_ns();
		pthread_cond_broadcast(&read->now_made);
	}
	if (kept)
		keep(reads, read);
	else
		drop(reads, read);
	pthread_mutex_unlock(&reads->lock);
	if (shared)
		/* analyzer: one reference was the table's, this one is ours */
		lend(response, read);
	else
		/* analyzer: likewise */
		give_back(read);
}

unsigned shared_reads_waiting(struct shared_reads *reads)
{
	pthread_mutex_lock(&reads->lock);
	unsigned waiting = reads->waiting;
	pthread_mutex_unlock(&reads->lock);
	return waiting;
}
