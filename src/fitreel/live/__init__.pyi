from .choice import open_view as open_view
from .hook import LiveHook as LiveHook
from .view import LiveView as LiveView
