"""What a loss of power may leave of the files whose changes recorder.c has recorded.

A file is what was synced, and of each of its sectors any of the versions that it has had since; its size likewise. Sectors of
one page mostly go to the disk together, and at times they do not. A name is what its folder was when that was synced, and any
of what was done in it since, mostly in order. So a rename may be there before what was written, and the other way round.
"""

import collections
import struct
import time

SECTOR, PAGE = 512, 4096
CREATE, DATA, SIZE, RENAME, UNLINK, MAKE_FOLDER, SYNC_BEGIN, SYNC_END, MARK = range(9)  # the first of them are recorder.c's
HEAD = struct.Struct("=4I5Q")

Record = collections.namedtuple("Record", "kind time inode folder to_folder at names data")


def write_mark(log, words):
    """Appends words of the test's own to a log that is open for appending: what is behind them came later."""
    data = words.encode()
    log.write(HEAD.pack(MARK, 0, len(data), 0, time.monotonic_ns(), 0, 0, 0, 0) + data)


def read_log(path):
    """All records, in their order."""
    content, at, records = path.read_bytes(), 0, []
    while at < len(content):
        kind, name_length, data_length, _, time, inode, folder, to_folder, offset = HEAD.unpack_from(content, at)
        names_end = at + HEAD.size + name_length
        names = content[at + HEAD.size:names_end].split(b"\0")[:-1]
        at = names_end + data_length
        records.append(Record(kind, time / 1e9, inode, folder, to_folder, offset, names, content[names_end:at]))
    return records


class File:
    """`versions` are the changes since the last sync, each (its place in the log, offset or size, bytes or None)."""

    def __init__(self, content=b""):
        self.content, self.versions = bytearray(content), []

    def sync(self, place):
        done = [version for version in self.versions if version[0] < place]
        self.content = merged(self.content, done, lambda page: None, len(done))
        self.versions = self.versions[len(done):]

    def left(self, dice):
        """Its content after a loss of power, or (dice is None) without one."""
        count = len(self.versions)
        how = dice.choice(("nothing", "all", "first", "pages", "sectors")) if dice and count else "all"
        if how in ("nothing", "all", "first"):
            kept = {"nothing": 0, "all": count}.get(how)
            kept = dice.randint(0, count) if kept is None else kept
            return merged(self.content, self.versions[:kept], lambda page: None, kept)
        chosen = {}

        def versions_of(page):
            if page not in chosen:
                torn = how == "sectors" and dice.random() < 0.5
                chosen[page] = ([dice.randint(0, count) for _ in range(PAGE // SECTOR)] if torn else
                                [dice.randint(0, count)] * (PAGE // SECTOR))
            return chosen[page]
        return merged(self.content, self.versions, versions_of, dice.randint(0, count))


def merged(content, versions, versions_of, size_version):
    """`content` with those changes that versions_of(page) tells of each of its sectors, None: all; the size is that after the
    first `size_version` of them."""
    result, size = bytearray(content), len(content)
    for number, (_, at, data) in enumerate(versions, 1):
        end = at if data is None else at + len(data)
        if number <= size_version:
            size = end if data is None else max(size, end)
        if data is None:  # what is cut off is zeros when the file grows again
            start, end, data = at, len(result), bytes(max(0, len(result) - at))
        else:
            start = at
            result.extend(bytes(max(0, end - len(result))))
        while start < end:
            page = start // PAGE
            chosen = versions_of(page)
            stop = min(end, (page + 1) * PAGE if chosen is None else (start // SECTOR + 1) * SECTOR)
            if chosen is None or chosen[start % PAGE // SECTOR] >= number:
                result[start:stop] = data[start - at:stop - at]
            start = stop
    result.extend(bytes(max(0, size - len(result))))
    return result[:size]


class Disk:
    """Follows a log; `folder` is as it was before, on the disk as a whole. Where it is not `honest` no sync does anything."""

    def __init__(self, folder, honest=True):
        self.honest, self.place = honest, 0
        self.nodes = {}  # by inode, which is another's later: a File, or a folder's inode itself
        self.names = {}  # what is surely so: {(folder, name): node}
        self.moves = []  # since then: [place, {(folder, name): node or None}, whether it is surely so, too]
        self.syncs = {}  # under way: {number: place}
        self.root = folder.stat().st_ino
        self.take(folder)

    def take(self, folder):
        inode = folder.stat().st_ino
        self.nodes[inode] = inode
        for path in folder.iterdir():
            child = path.stat().st_ino
            if path.is_dir():
                self.take(path)
            else:
                self.nodes[child] = File(path.read_bytes())
            self.names[inode, path.name.encode()] = self.nodes[child]

    def follow(self, record):
        self.place += 1
        node = self.nodes.get(record.inode)
        if record.kind in (CREATE, MAKE_FOLDER, UNLINK) and record.folder in self.nodes:
            if record.kind != UNLINK:
                node = self.nodes[record.inode] = File() if record.kind == CREATE else record.inode
            self.move({(record.folder, record.names[0]): None if record.kind == UNLINK else node})
        elif record.kind == RENAME and {record.folder, record.to_folder} <= self.nodes.keys():
            source, target = (record.folder, record.names[0]), (record.to_folder, record.names[1])
            self.move({source: None, target: self.now()[source]})
        elif record.kind in (DATA, SIZE) and isinstance(node, File):
            node.versions.append((self.place, record.at, record.data if record.kind == DATA else None))
        elif record.kind == SYNC_BEGIN:
            self.syncs[record.at] = self.place
        elif record.kind == SYNC_END and self.honest:
            self.sync(record.inode, self.syncs.pop(record.at))

    def move(self, changes):
        self.moves.append([self.place, changes, False])

    def sync(self, inode, place):
        if isinstance(self.nodes.get(inode), File):
            self.nodes[inode].sync(place)
        for move in self.moves:
            # A rename from one folder to another is whole once it is in the second.
            if move[0] < place and list(move[1])[-1][0] == inode:
                move[2] = True
        while self.moves and self.moves[0][2]:
            self.names.update(self.moves.pop(0)[1])

    def now(self):
        names = dict(self.names)
        for _, changes, _ in self.moves:
            names.update(changes)
        return names

    def left_names(self, dice):
        how = dice.choice(("nothing", "all", "first", "any")) if dice else "all"
        last = dice.randint(0, len(self.moves)) if how == "first" else len(self.moves) if how == "all" else 0
        names = dict(self.names)
        for number, (_, changes, surely) in enumerate(self.moves):
            if surely or number < last or (how == "any" and dice.random() < 0.5):
                names.update(changes)
        return names

    def leave(self, target, dice):
        """Makes the folder `target` what a loss of power leaves now; with dice None what is there."""
        self.write(target, self.root, self.left_names(dice), dice)

    def write(self, target, inode, names, dice):
        target.mkdir()
        for (folder, name), node in names.items():
            if folder != inode or node is None:
                continue
            path = target / name.decode()
            if isinstance(node, File):
                path.write_bytes(node.left(dice))
            else:
                self.write(path, node, names, dice)
