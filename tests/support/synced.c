/* Keeps what was synced: after each fsync or fdatasync the file's content is copied to $PLANCTL_SHADOW/INODE.
   What loses its last name is forgotten, for its inode may become another file's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void keep(int fd) {
    const char *shadow = getenv("PLANCTL_SHADOW");
    struct stat found;
    char own[64], draft[4096], name[4096], buffer[65536];
    ssize_t size;
    off_t at = 0;
    int before = errno, from, to;

    if (!shadow || fstat(fd, &found) || !S_ISREG(found.st_mode)) {
        errno = before;
        return;
    }
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    snprintf(name, sizeof name, "%s/%lu", shadow, (unsigned long) found.st_ino);
    snprintf(draft, sizeof draft, "%s.%d.%d", name, (int) getpid(), (int) gettid());
    from = open(own, O_RDONLY | O_CLOEXEC);
    to = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        abort();
    while ((size = pread(from, buffer, sizeof buffer, at)) > 0) {
        if (write(to, buffer, size) != size)
            abort();
        at += size;
    }
    close(from);
    close(to);
    ((int (*)(const char *, const char *)) dlsym(RTLD_NEXT, "rename"))(draft, name);
    errno = before;
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");
    int said = real(fd);
    if (!said)
        keep(fd);
    return said;
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    int said = real(fd);
    if (!said)
        keep(fd);
    return said;
}

/* Before a name goes: the inode whose last name it is, or 0. */
static unsigned long last_name(int folder, const char *path) {
    struct stat found;
    int before = errno;
    int said = fstatat(folder, path, &found, AT_SYMLINK_NOFOLLOW);

    errno = before;
    return said || !S_ISREG(found.st_mode) || found.st_nlink > 1 ? 0 : (unsigned long) found.st_ino;
}

static void forget(unsigned long inode) {
    const char *shadow = getenv("PLANCTL_SHADOW");
    int (*real)(const char *) = (int (*)(const char *)) dlsym(RTLD_NEXT, "unlink");
    char name[4096];
    int before = errno;

    if (shadow && inode) {
        snprintf(name, sizeof name, "%s/%lu", shadow, inode);
        real(name);
    }
    errno = before;
}

int unlink(const char *path) {
    int (*real)(const char *) = (int (*)(const char *)) dlsym(RTLD_NEXT, "unlink");
    unsigned long inode = last_name(AT_FDCWD, path);
    int said = real(path);
    if (!said)
        forget(inode);
    return said;
}

int unlinkat(int folder, const char *path, int flags) {
    int (*real)(int, const char *, int) = (int (*)(int, const char *, int)) dlsym(RTLD_NEXT, "unlinkat");
    unsigned long inode = last_name(folder, path);
    int said = real(folder, path, flags);
    if (!said)
        forget(inode);
    return said;
}

int rename(const char *old, const char *new) {
    int (*real)(const char *, const char *) =
        (int (*)(const char *, const char *)) dlsym(RTLD_NEXT, "rename");
    unsigned long inode = last_name(AT_FDCWD, new);
    int said = real(old, new);
    if (!said)
        forget(inode);
    return said;
}
