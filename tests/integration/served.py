"""An HTTP server on a port of the loopback interface whose end is the end of its connections, too."""

import contextlib
import http.server
import socket
import threading


class Served:
    """What start() begins and stop() ends, for the time of a with block."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, engine, handler):
        """Serves in a thread until stop(); `handler` finds the engine as `self.server.engine`."""
        self.engine, self.connections = engine, []
        super().__init__(("127.0.0.1", engine.port), handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, *_):
        pass  # a client that has gone

    def stop(self):
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
