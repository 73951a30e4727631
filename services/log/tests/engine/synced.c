/*
 * What a disk would have after a power failure: loaded into a process (LD_PRELOAD), this keeps a second copy of the
 * directory SYNCED_FROM in SYNCED_TO that has of every file only what was there when it was last synced, and of the
 * directory only the names that were there when that was last synced. Writes that were not synced never get there.
 *
 * A real device may keep some of them all the same. Dropping all is the case in which a missing sync always shows.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
    perror(what);
    abort();
}

/* Whole or not at all: the process may be killed in the middle. */
static void copy(int from, const char *to) {
    char partial[PATH_MAX + 16], buffer[65536];
    snprintf(partial, sizeof partial, "%s.partial", to);
    int out = open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0) fail(partial);
    off_t offset = 0;
    ssize_t length;
    /* Through the same descriptor: closing another one would release the locks the process has on the file. */
    while ((length = pread(from, buffer, sizeof buffer, offset)) > 0) {
        if (write(out, buffer, length) != length) fail("write");
        offset += length;
    }
    if (length < 0) fail("pread");
    close(out);
    if (rename(partial, to)) fail("rename");
}

static int exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

/* A file was synced. Where its name is not, its contents wait for that beside the copy. */
static void synced_file(int descriptor, const char *to, const char *name) {
    char named[PATH_MAX], waiting[PATH_MAX];
    snprintf(named, sizeof named, "%s/%s", to, name);
    snprintf(waiting, sizeof waiting, "%s.waiting/%s", to, name);
    copy(descriptor, exists(named) ? named : waiting);
}

/* The directory was synced: files that are in it are there from now on, files that are not are gone. */
static void synced_directory(const char *from, const char *to) {
    char here[PATH_MAX], named[PATH_MAX], waiting[PATH_MAX];
    struct dirent *entry;
    DIR *directory = opendir(from);
    while (directory && (entry = readdir(directory))) {
        snprintf(named, sizeof named, "%s/%s", to, entry->d_name);
        snprintf(waiting, sizeof waiting, "%s.waiting/%s", to, entry->d_name);
        if (entry->d_name[0] == '.' || exists(named)) continue;
        if (exists(waiting)) {
            if (rename(waiting, named)) fail("rename");
        } else {
            close(open(named, O_WRONLY | O_CREAT, 0600));
        }
    }
    if (directory) closedir(directory);
    directory = opendir(to);
    while (directory && (entry = readdir(directory))) {
        snprintf(here, sizeof here, "%s/%s", from, entry->d_name);
        snprintf(named, sizeof named, "%s/%s", to, entry->d_name);
        if (entry->d_name[0] != '.' && !exists(here)) unlink(named);
    }
    if (directory) closedir(directory);
}

static void synced(int descriptor) {
    const char *from = getenv("SYNCED_FROM"), *to = getenv("SYNCED_TO");
    char link[64], path[PATH_MAX];
    if (!from || !to) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    size_t prefix = strlen(from);
    if (strncmp(path, from, prefix)) return;
    pthread_mutex_lock(&one_at_a_time);
    if (path[prefix] == 0) synced_directory(from, to);
    if (path[prefix] == '/') synced_file(descriptor, to, path + prefix + 1);
    pthread_mutex_unlock(&one_at_a_time);
}

int fsync(int descriptor) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int result = next(descriptor);
    if (result == 0) synced(descriptor);
    return result;
}

int fdatasync(int descriptor) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int result = next(descriptor);
    if (result == 0) synced(descriptor);
    return result;
}
