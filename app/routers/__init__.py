"""The HTTP and websocket edge: translate, call one service, translate back."""
