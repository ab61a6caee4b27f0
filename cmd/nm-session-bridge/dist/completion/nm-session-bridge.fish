# fish completion of nm-session-bridge, which names the candidates itself.

function __nm_session_bridge_words
    set -l before (commandline --tokenize --cut-at-cursor --current-process)
    set -l program (string replace --regex '^~/' "$HOME/" -- $before[1])
    set -l current (string unescape -- (commandline --current-token --cut-at-cursor))
    $program completion words -- $before[2..] "$current" 2>/dev/null
end

complete --command nm-session-bridge --no-files --arguments '(__nm_session_bridge_words)'
